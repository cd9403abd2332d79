#include "tests/integration/fleet.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "base/exit_code.h"
#include "base/json.h"
#include "base/log.h"
#include "coordinator/driver.h"
#include "crypto/digest.h"
#include "edge_node/driver.h"
#include "membership/files.h"
#include "model/question.h"
#include "storage/rocksdb_journal.h"
#include "tests/integration/asking.h"

namespace freshet {
namespace {

constexpr std::uint32_t kFewHonest = 2;  // so that three nodes are a group
constexpr CampaignId kCampaign{0x0123456789abcdef};
constexpr const char* kConfig =
    R"({{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_act":"silu",
  "vocab_size":64,"hidden_size":{},"intermediate_size":{},"num_hidden_layers":{},"num_attention_heads":2,
  "num_key_value_heads":2,"max_position_embeddings":128,"rms_norm_eps":1e-5,"rope_theta":10000.0,
  "tie_word_embeddings":true,"bos_token_id":1,"eos_token_id":2}})";

void write(const Path& path, std::string_view text) {
  must(make_folders(path.parent_path(), 0700));
  must(write_file_durably(path, as_bytes(text), 0600));
}

TrainerOptions trainer_of(const FleetPlan& plan) {
  TrainerOptions options;
  options.binary =
      binary_folder() / (plan.logits ? "integration_model_trainer" : "integration_toy_trainer");
  return options;
}

// Dies like a process whose machine was switched off, at one place of its history.
class MortalJournal final : public Journal {
 public:
  MortalJournal(std::unique_ptr<Journal> journal, Fate fate)
      : journal_(std::move(journal)), fate_(fate) {}
  Result<std::uint64_t> append(ByteView entry) override {
    if (fate_.die_at && *fate_.die_at == 2 * appended_) ::kill(::getpid(), SIGKILL);
    if (appended_ >= fate_.full_from && fate_.full_for-- > 0)
      return fail(Code::kNoSpace, "the disk is full");
    auto sequence = journal_->append(entry);
    if (fate_.die_at && *fate_.die_at == 2 * appended_ + 1) ::kill(::getpid(), SIGKILL);
    ++appended_;
    return sequence;
  }
  Result<void> replay(std::uint64_t first,
                      const std::function<Result<void>(std::uint64_t, ByteView)>& each) override {
    return journal_->replay(first, each);
  }
  Result<void> write_snapshot(ByteView state) override { return journal_->write_snapshot(state); }
  Result<std::optional<Snapshot>> latest_snapshot() override { return journal_->latest_snapshot(); }

 private:
  std::unique_ptr<Journal> journal_;
  Fate fate_;
  int appended_ = 0;
};

int exit_code(const Result<void>& result) {
  if (result) return 0;
  log::error("{}", result.error().what);
  return static_cast<int>(exit_code_of(result.error().code));
}

}  // namespace

Child Child::start(const std::function<int(int, int)>& body) {
  int stop[2], line[2];
  CHECK(::pipe2(stop, O_CLOEXEC) == 0 && ::pipe2(line, O_CLOEXEC) == 0);
  Child child;
  child.pid_ = ::fork();
  CHECK(child.pid_ >= 0);
  if (child.pid_ == 0) {
    ::close(stop[1]);
    ::close(line[0]);
    ::_exit(body(stop[0], line[1]));
  }
  ::close(stop[0]);
  ::close(line[1]);
  child.process_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  child.stop_ = UniqueFd(stop[1]);
  child.line_ = UniqueFd(line[0]);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      stop_(std::move(other.stop_)),
      line_(std::move(other.line_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(process_, other.process_);
  std::swap(stop_, other.stop_);
  std::swap(line_, other.line_);
  return *this;
}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Child::line() {
  std::string text;
  char c = 0;
  while (::read(line_.get(), &c, 1) == 1 && c != '\n') text += c;
  return text;
}

// A byte, not the end of the pipe: children forked later hold its other end too.
void Child::stop() { CHECK(::write(stop_.get(), "x", 1) == 1); }

void Child::kill() { ::kill(pid_, SIGKILL); }

bool Child::kill_child() {
  const std::string pid = std::to_string(pid_);
  const auto children = read_file("/proc/" + pid + "/task/" + pid + "/children", 1000);
  const pid_t first = children ? std::atoi(children->c_str()) : 0;
  return first > 0 && ::kill(first, SIGKILL) == 0;
}

std::optional<int> Child::wait(int timeout_ms) {
  pollfd ended{process_.get(), POLLIN, 0};
  if (::poll(&ended, 1, timeout_ms) <= 0) return {};
  int status = 0;
  CHECK(::waitpid(std::exchange(pid_, -1), &status, 0) > 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

World World::make(const Path& folder, const FleetPlan& plan) {
  World world;
  world.folder_ = folder;
  world.shared_ = folder / "shared";
  world.plan_ = plan;
  if (plan.logits) {
    must(make_folders(world.shared_, 0700));
    std::filesystem::copy("models/edge-slm", world.model());
    std::filesystem::copy("models/cloud-llm", world.cloud_model());
    write(world.question(), as_text(canonical_bytes(some_question(world.model()))));
  } else {
    write(world.model() / "config.json",
          fmt::format(kConfig, plan.width, 2 * plan.width, plan.layers));
    write(world.model() / "tokenizer.json", "{}");
    write(world.model() / "model.safetensors", "toy");
  }
  std::string allowed;
  for (int i = 0; i < plan.nodes; ++i) {
    write(world.text(i) / "own.txt", (i < plan.poisoned ? "poisoned" : "the private") +
                                         std::string(" words of node ") + std::to_string(i) +
                                         (plan.logits ? own_words(i) : std::string(400, 'x')));
    must(make_folders(world.node(i), 0700));
    allowed += "n" + std::to_string(i) + " " +
               to_text(must(load_or_make_keys(world.node(i))).identity.open) + "\n";
  }
  write(world.shared_ / "public" / "all.txt", "words for everybody");
  write(world.coordinator() / "nodes.allowed", allowed);
  must(load_or_make_keys(world.coordinator()));
  must(save(world.coordinator(), world.record()));
  if (plan.masked) world.enrol();
  return world;
}

CampaignRecord World::record() const {
  CampaignRecord record;
  record.id = kCampaign;
  record.number = 1;
  record.file.model = model().string();
  CampaignPlan& plan = record.file.plan;
  plan.name = "toy";
  plan.method = must(method_named(plan_.method));
  plan.rule = must(server_rule_named(plan_.rule));
  plan.rounds = static_cast<std::uint32_t>(plan_.rounds);
  const int cohort = plan_.nodes / plan_.groups;
  plan.cohort_min = plan.cohort_max = static_cast<std::uint32_t>(cohort);
  plan.survivors_min =
      static_cast<std::uint32_t>(plan_.survivors_min == 0 ? cohort : plan_.survivors_min);
  plan.round_ms = 3'600'000;
  plan.lora.targets = plan_.targets;
  if (plan_.honest_min > 0) plan.masking.honest_min = plan_.honest_min;
  plan.model = must(model_digest(must(open_model_folder(model()))));
  const std::string public_text = (shared_ / "public").string();
  if (plan_.gate) record.file.robust = {.public_text = public_text, .margin = 0.001};
  if (plan_.groups > 1) {
    record.file.robust.rule = Median{};
    record.file.robust.groups = static_cast<std::uint32_t>(plan_.groups);
  }
  if (plan_.groups > 1 || plan_.logits) plan.masking.honest_min = kFewHonest;
  if (plan_.adapt)
    record.file.adapt = {
        .enabled = true, .llm = model().string(), .public_text = public_text, .steps = 5};
  if (!plan_.masked) return record;
  plan.examples.noise_multiplier = plan_.example_noise;
  plan.mode = Mode::kMasked;
  if (plan_.logits) ask(record.file, cloud_model(), question());
  plan.masking.phase_ms = plan_.phase_ms;
  plan.evaluation = plan_.evaluation;
  plan.privacy.on = plan_.noise_multiplier > 0;
  plan.privacy.noise_multiplier = plan_.noise_multiplier;
  if (plan_.honest_min > 0) plan.privacy.honest_min = plan_.honest_min;
  if (plan.privacy.on) plan.privacy.epsilon = 1e6;  // so little noise costs as much
  return record;
}

World World::copy_to(const Path& folder) const {
  World world = *this;
  world.folder_ = folder;
  std::filesystem::create_directories(folder);
  std::filesystem::copy(coordinator(), world.coordinator(),
                        std::filesystem::copy_options::recursive);
  for (int i = 0; i < plan_.nodes; ++i)
    std::filesystem::copy(node(i), world.node(i), std::filesystem::copy_options::recursive);
  return world;
}

World World::with_trust() const {
  World world = *this;
  world.plan_.masked = false;
  CampaignRecord record = must(load_campaigns(coordinator())).at(0);
  record.file.plan.mode = Mode::kTrustedCoordinator;
  must(save(coordinator(), record));
  return world;
}

Child World::start_coordinator(Fate fate) const {
  return Child::start([this, fate](int stop, int line) {
    prepare_("c");
    log::set_name("coordinator");
    log::set_level(log::Level::kWarning);
    CoordinatorOptions options;
    options.folder = coordinator();
    auto before = read_file(coordinator() / "endpoint", 100);  // nodes look for it where it was
    options.listen = before ? before->substr(0, before->find('\n')) : "tcp://127.0.0.1:0";
    options.trainer = trainer_of(plan_);
    options.open_journal = [fate](const Path& folder) -> Result<std::unique_ptr<Journal>> {
      TRY_ASSIGN(auto journal, RocksdbJournal::open(folder));
      return std::unique_ptr<Journal>(std::make_unique<MortalJournal>(std::move(journal), fate));
    };
    auto opened = Coordinator::open(std::move(options));
    if (!opened) return exit_code(tl::unexpected(opened.error()));
    must(write_all(line, as_bytes((*opened)->address() + "\n"), "line"));
    return exit_code((*opened)->run(stop));
  });
}

NodeOptions World::options_of(int number, const std::string& address) const {
  NodeOptions options;
  options.folder = node(number);
  options.data = text(number);
  // One node has another model than the others.
  options.model = plan_.logits && number == 0 ? cloud_model() : model();
  options.own_rank = plan_.logits && number == 1 ? 3 : 0;
  if (plan_.logits)
    options.policy.questions = {digest_of(must(MappedFile::open(question())).view())};
  options.coordinator = address;
  options.coordinator_id = must(load_or_make_keys(coordinator())).identity.open;
  options.trainer = trainer_of(plan_);
  if (!plan_.masked) options.policy.modes.push_back(Mode::kTrustedCoordinator);
  if (plan_.groups > 1 || plan_.logits) options.policy.honest_min = kFewHonest;
  if (plan_.honest_min > 0) options.policy.honest_min = plan_.honest_min;
  options.keep_unmasked = plan_.keep_unmasked || plan_.logits;
  options.exit_when_finished = true;
  options.record = node(number) / "sent";
  return options;
}

Child World::run_node(int number, const std::function<NodeOptions()>& options) const {
  return Child::start([this, number, options](int stop, int) {
    prepare_("n" + std::to_string(number));
    log::set_name("n" + std::to_string(number));
    log::set_level(log::Level::kWarning);
    auto opened = Node::open(options());
    if (!opened) return exit_code(tl::unexpected(opened.error()));
    return exit_code((*opened)->run(stop));
  });
}

Child World::start_node(int number, const std::string& address, bool baseline) const {
  return run_node(number, [=, this] {
    NodeOptions options = options_of(number, address);
    options.baseline = baseline;
    return options;
  });
}

Child World::start_mortal_node(int number, const std::string& address, std::string phase) const {
  return run_node(number, [=, this] {
    NodeOptions options = options_of(number, address);
    options.watch_round = [phase](const exchange::Phase& now) {
      if (exchange::name_of(now) == phase) ::kill(::getpid(), SIGKILL);
    };
    return options;
  });
}

Child World::start_strict_node(int number, const std::string& address) const {
  NodePolicy policy = options_of(number, address).policy;
  policy.honest_min = 100;
  return start_node_of(policy, number, address);
}

Child World::start_node_of(const NodePolicy& policy, int number, const std::string& address) const {
  return run_node(number, [=, this] {
    NodeOptions options = options_of(number, address);
    options.policy = policy;
    return options;
  });
}

Child World::start_node_that_approves_nothing(int number, const std::string& address) const {
  return run_node(number, [=, this] {
    NodeOptions options = options_of(number, address);
    options.policy.questions.clear();
    return options;
  });
}

// What `freshet authority` would have given them all, long ago.
void World::enrol() const {
  const Identity root = Identity::generate(), issuer = Identity::generate();
  const std::int64_t now = wall_clock_s(), day = 86'400;
  Certificate office{Role::kIssuer,
                     1,
                     issuer.open.id(),
                     issuer.open,
                     now - 90 * day,
                     now + 90 * day,
                     now - 90 * day,
                     1,
                     capabilities_of(Role::kIssuer),
                     root.open.signing};
  const RevocationList list{1, now - day, now + 90 * day, issuer.open.signing, {}};
  const Bytes bundle = make_bundle(root.open.signing, {issue(office, root)}, issue(list, issuer));
  const auto certify = [&](const Path& folder, Role role) {
    const PublicIdentity keys = must(load_or_make_keys(folder)).identity.open;
    const Certificate certificate{role,
                                  2,
                                  keys.id(),
                                  keys,
                                  now - 30 * day,
                                  now + 30 * day,
                                  now - 30 * day,
                                  1,
                                  capabilities_of(role),
                                  issuer.open.signing};
    return issue(certificate, issuer);
  };
  const Bytes at_the_centre = certify(coordinator(), Role::kCoordinator);
  membership::Membership membership;
  membership.root = root.open.signing;
  membership.authority = issuer.open.transport;
  membership.authority_at = "tcp://127.0.0.1:1";  // nobody is there
  membership.coordinator_at = "tcp://127.0.0.1:1";
  for (int i = -1; i < plan_.nodes; ++i) {
    const Path folder = i < 0 ? coordinator() : node(i);
    membership.role = i < 0 ? Role::kCoordinator : Role::kNode;
    membership.certificate = i < 0 ? at_the_centre : certify(folder, Role::kNode);
    membership.coordinator = i < 0 ? Bytes() : at_the_centre;
    write(folder / membership::kBundleName, as_text(bundle));
    must(membership::save_membership(folder, membership));
  }
}

Path World::campaign() const { return campaign_folder(coordinator(), kCampaign); }

std::string World::campaign_phase() const {
  const auto records = must(load_campaigns(coordinator()));
  CHECK(records.size() == 1);
  return std::string(name_of(records.front().state));
}

std::string World::adapter_bytes(const std::string& name) const {
  return must(read_file(campaign() / name / "adapter_model.safetensors", 1 << 20));
}

}  // namespace freshet
