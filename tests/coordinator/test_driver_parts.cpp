#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/json.h"
#include "base/limits.h"
#include "coordinator/allow_list.h"
#include "coordinator/campaign_store.h"
#include "coordinator/operator_client.h"
#include "coordinator/operator_server.h"
#include "coordinator/summing.h"

namespace freshet {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "freshet-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

std::string line_of(const std::string& name, const Identity& identity) {
  return name + " " + to_text(identity.open) + "\n";
}

// ---- who may connect

TEST(AllowList, ReadsNamesAndKeysAndSkipsComments) {
  const Identity a = Identity::generate(), b = Identity::generate();
  const auto list = AllowList::parse("# nodes\n\n" + line_of("a", a) + line_of("b", b), "f");
  ASSERT_TRUE(list.has_value()) << list.error().what;
  EXPECT_EQ(list->size(), 2u);
  ASSERT_NE(list->find(b.open.transport), nullptr);
  EXPECT_EQ(list->find(b.open.transport)->name, "b");
  EXPECT_EQ(list->find(a.open.id())->identity, a.open);
  EXPECT_EQ(list->find(Identity::generate().open.transport), nullptr);
}

TEST(AllowList, NamesTheLineThatIsWrong) {
  const Identity a = Identity::generate(), b = Identity::generate();
  for (const std::string& second :
       {std::string("only-a-name\n"), std::string("b freshet-id-1:00\n"), line_of("sp ace", b),
        line_of("a", b), line_of("b", a), line_of(std::string(65, 'x'), b)}) {
    const auto list = AllowList::parse(line_of("a", a) + second, "nodes");
    ASSERT_FALSE(list.has_value()) << second;
    EXPECT_EQ(list.error().code, Code::kBadInput);
    EXPECT_NE(list.error().what.find("nodes:2"), std::string::npos) << list.error().what;
  }
}

TEST(AllowList, TakesANodeOnceByNameAndByKey) {
  TemporaryFolder folder;
  const Path file = folder.path() / "nodes.allowed";
  const std::string a = to_text(Identity::generate().open), b = to_text(Identity::generate().open);
  ASSERT_TRUE(allow_node(file, "a", a).has_value());
  EXPECT_EQ(allow_node(file, "a", b).error().code, Code::kRefused);
  EXPECT_EQ(allow_node(file, "b", a).error().code, Code::kRefused);
  ASSERT_TRUE(allow_node(file, "b", b).has_value());
  EXPECT_EQ(AllowList::load(file)->size(), 2u);
}

TEST(AllowedNodes, LetsInWhoIsAddedAndKeepsTheListWhenTheFileBreaks) {
  TemporaryFolder folder;
  const Path file = folder.path() / "nodes.allowed";
  auto nodes = AllowedNodes::open(file).value();
  const Identity a = Identity::generate();
  EXPECT_FALSE(nodes->admits(a.open.transport));
  ASSERT_TRUE(allow_node(file, "a", to_text(a.open)).has_value());
  ASSERT_TRUE(nodes->refresh().has_value());
  EXPECT_TRUE(nodes->admits(a.open.transport));
  ASSERT_TRUE(write_file_durably(file, as_bytes("nonsense\n")).has_value());
  EXPECT_FALSE(nodes->refresh().has_value());
  EXPECT_TRUE(nodes->admits(a.open.transport));
  ASSERT_TRUE(write_file_durably(file, as_bytes("")).has_value());
  ASSERT_TRUE(nodes->refresh().has_value());
  EXPECT_FALSE(nodes->admits(a.open.transport));
}

TEST(AllowedNodes, HoldsWhomAnAuthorityCertifiedBesideItsFileAndNobodyWhoIsRevoked) {
  TemporaryFolder folder;
  const Path file = folder.path() / "nodes.allowed";
  const Identity listed = Identity::generate(), certified = Identity::generate(),
                 both = Identity::generate();
  ASSERT_TRUE(allow_node(file, "listed", to_text(listed.open)).has_value());
  ASSERT_TRUE(allow_node(file, "both", to_text(both.open)).has_value());
  auto nodes = AllowedNodes::open(file).value();
  nodes->certify({{"c1", certified.open}, {"c2", both.open}}, {});
  for (const Identity* each : {&listed, &certified, &both})
    EXPECT_TRUE(nodes->admits(each->open.transport));
  EXPECT_EQ(nodes->list()->find(both.open.transport)->name, "both");
  ASSERT_TRUE(allow_node(file, "more", to_text(Identity::generate().open)).has_value());
  ASSERT_TRUE(nodes->refresh().has_value());
  EXPECT_TRUE(nodes->admits(certified.open.transport)) << "the file's change leaves it in";
  nodes->certify({}, {certified.open.transport, both.open.transport});
  EXPECT_FALSE(nodes->admits(certified.open.transport));
  EXPECT_FALSE(nodes->admits(both.open.transport)) << "though the file lists it";
  EXPECT_TRUE(nodes->admits(listed.open.transport));
}

// ---- the operator's socket

void wait_readable(const OperatorServer& server) {
  std::vector<pollfd> fds;
  for (int fd : server.descriptors()) fds.push_back({fd, POLLIN, 0});
  ASSERT_GT(::poll(fds.data(), fds.size(), 10'000), 0);
}

TEST(OperatorSocket, CarriesDocumentsBothWaysAndErrorsAsErrors) {
  TemporaryFolder folder;
  EXPECT_EQ(OperatorClient::connect(folder.path()).error().code, Code::kUnavailable);
  auto server = OperatorServer::listen(folder.path() / "operator.sock").value();
  auto client = OperatorClient::connect(folder.path()).value();
  ASSERT_TRUE(client.send({{"do", "ls"}}).has_value());
  std::vector<OperatorServer::Request> requests;
  while (requests.empty()) {
    wait_readable(server);
    requests = server.poll();
  }
  EXPECT_EQ(requests[0].line, R"({"do":"ls"})");
  server.send(requests[0].from, {{"n", 1}});
  server.send(requests[0].from, error_document({Code::kExpired, "too late"}));
  server.finish(requests[0].from);
  EXPECT_EQ((**client.next())["n"], 1);
  const auto error = client.next();
  ASSERT_FALSE(error.has_value());
  EXPECT_EQ(error.error().code, Code::kExpired);
  EXPECT_EQ(error.error().what, "too late");
  EXPECT_FALSE(client.next()->has_value());  // hung up
}

TEST(OperatorSocket, DropsWhoSendsALineLongerThanAllowed) {
  TemporaryFolder folder;
  auto server = OperatorServer::listen(folder.path() / "operator.sock").value();
  auto client = OperatorClient::connect(folder.path()).value();
  std::thread sender(
      [&client] { (void)client.send(std::string(4 * limits::kOperatorLineBytesMax, 'x')); });
  std::size_t requests = 0;
  bool was_here = false;
  while (!was_here || server.descriptors().size() > 1) {
    wait_readable(server);
    requests += server.poll().size();
    was_here = was_here || server.descriptors().size() > 1;
    if (HasFatalFailure()) break;
  }
  sender.join();
  EXPECT_EQ(requests, 0u);
}

// ---- campaigns at rest

TEST(CampaignStore, GivesBackWhatWasSavedInTheOrderOfSubmission) {
  TemporaryFolder folder;
  for (std::uint64_t number : {2, 1}) {
    CampaignRecord record;
    record.id = {0xf00 + number};
    record.number = number;
    record.state = number == 1 ? CampaignState::kAdapting : CampaignState::kQueued;
    record.why = "because";
    record.version = {7};
    record.adapter.fill(9);
    record.file.plan.name = "campaign " + std::to_string(number);
    record.file.plan.model.fill(3);
    record.file.model = "m";
    ASSERT_TRUE(save(folder.path(), record).has_value());
  }
  std::filesystem::create_directories(folder.path() / "campaigns" /
                                      "0000000000000abc");  // never answered
  const auto all = load_campaigns(folder.path());
  ASSERT_TRUE(all.has_value()) << all.error().what;
  ASSERT_EQ(all->size(), 2u);
  const CampaignRecord& first = all->front();
  EXPECT_EQ(first.number, 1u);
  EXPECT_EQ(first.state, CampaignState::kAdapting);
  EXPECT_EQ(first.version, VersionId{7});
  EXPECT_EQ(first.adapter[0], 9);
  EXPECT_EQ(first.file.plan.model[5], 3);
  EXPECT_EQ(first.file.plan.name, "campaign 1");
  ASSERT_TRUE(
      write_file_durably(campaign_folder(folder.path(), first.id) / "record.json", as_bytes("{"))
          .has_value());
  EXPECT_EQ(load_campaigns(folder.path()).error().code, Code::kCorrupt);
}

// ---- sums

struct Sums : testing::Test {
  Sums() {
    plan.grid = {.range = 1, .bits = 16, .weight_max = 1};
    ModelConfig config;
    config.vocab_size = 8, config.hidden_size = 4, config.intermediate_size = 8, config.layers = 1;
    config.heads = config.kv_heads = 2, config.head_dim = 2, config.max_positions = 8;
    whole = adapter_layout(config, {2, 4, {"q_proj"}}).value();
    base = store_floats(adapters, std::vector<float>(whole.size, 0.5f)).value();
  }
  round::Survivor upload(NodeId node, float value, RoundId round, const RoundShape& shape) {
    const ClippedUpdate update{std::vector<float>(shape.phase.size, value), 1};
    const QuantizedUpdate quantized = quantize(update, plan.grid, [](std::span<std::uint32_t> out) {
      std::fill(out.begin(), out.end(), 1u << 31);
    });
    const SealedUpdate sealed = seal_update(quantized, plan.grid, coordinator.open.sealing,
                                            {{1}, round, node, shape.digest});
    return {node, uploads.put(sealed.bytes).value()};
  }
  Result<Sum> sum(const RoundShape& shape, const std::vector<round::Survivor>& parts,
                  VersionId version = {0}) {
    return add_and_step({adapters, uploads}, shape, coordinator,
                        {{1}, {1}, version, base, parts, folder.path()});
  }

  TemporaryFolder folder;
  Identity coordinator = Identity::generate();
  CampaignPlan plan;
  Layout whole;
  BlobStore adapters = BlobStore::open(folder.path() / "a").value();
  BlobStore uploads = BlobStore::open(folder.path() / "u").value();
  Digest base{};
};

TEST_F(Sums, AddTheMeanToTheFactorsOfTheRoundAlone) {
  const RoundShape shape = round_shape(plan, whole, {0});  // rolora: B first
  ASSERT_TRUE(shape.factors.b && !shape.factors.a);
  const auto made = sum(shape, {upload({1}, 0.25f, {1}, shape), upload({2}, -0.05f, {1}, shape)});
  ASSERT_TRUE(made.has_value()) << made.error().what;
  ASSERT_TRUE(made->spoiled.empty());
  const auto adapter = load_floats(adapters, made->adapter, whole.size).value();
  for (const LayoutEntry& entry : whole.entries)
    for (std::size_t i = entry.offset; i < entry.offset + entry.size(); ++i)
      ASSERT_NEAR(adapter[i], entry.factor == Factor::kB ? 0.6f : 0.5f, 1e-4) << i;
}

TEST_F(Sums, KeepMomentsApartForEachFactorAndGiveTheSameBytesWhenRepeated) {
  plan.rule = Momentum{.lr = 1, .beta = 0.5f};
  for (std::uint64_t version = 0; version < 4; ++version) {
    const RoundShape shape = round_shape(plan, whole, {version});
    const std::vector<round::Survivor> parts{upload({1}, 0.1f, {1}, shape)};
    const auto once = sum(shape, parts, {version}), again = sum(shape, parts, {version});
    ASSERT_TRUE(once.has_value() && again.has_value());
    EXPECT_EQ(once->adapter, again->adapter);
    base = once->adapter;
  }
  // B and A moved twice each: 0.1, then 0.5 * 0.1 + 0.1.
  const std::vector<float> moved = load_floats(adapters, base, whole.size).value();
  for (float value : moved) ASSERT_NEAR(value, 0.5f + 0.25f, 1e-4);
  ASSERT_TRUE(drop_moments_before(folder.path(), {4}).has_value());
  EXPECT_FALSE(sum(round_shape(plan, whole, {3}),
                   {upload({1}, 0.1f, {1}, round_shape(plan, whole, {3}))}, {3})
                   .has_value());
}

TEST_F(Sums, NameTheUpdateThatIsNoneOfThisRound) {
  const RoundShape shape = round_shape(plan, whole, {0});
  const auto good = upload({1}, 0.1f, {1}, shape), of_another_round = upload({2}, 0.1f, {9}, shape);
  const auto made = sum(shape, {good, of_another_round});
  ASSERT_TRUE(made.has_value()) << made.error().what;
  EXPECT_EQ(made->spoiled, std::vector<NodeId>{NodeId{2}});
  const MappedFile sealed = uploads.map(of_another_round.upload).value();
  EXPECT_FALSE(
      check_update(sealed.view(), shape, coordinator, {{1}, {1}, {2}, shape.digest}).has_value());
  EXPECT_TRUE(
      check_update(sealed.view(), shape, coordinator, {{1}, {9}, {2}, shape.digest}).has_value());
}

TEST_F(Sums, RefuseAnAdapterThatIsNotFinite) {
  std::vector<float> values(whole.size, 0);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  base = store_floats(adapters, values).value();
  const RoundShape shape = round_shape(plan, whole, {0});
  EXPECT_EQ(sum(shape, {upload({1}, 0.1f, {1}, shape)}).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet
