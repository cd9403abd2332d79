#pragma once
// A masked round between the coordinator's parts (machine, book, sum) and the nodes' own code, with
// real keys and certificates and no network. Messages wait in one queue; a test delivers them,
// loses some, changes others, or starts the coordinator again.

#include <gtest/gtest.h>

#include <deque>

#include "coordinator/campaign_record.h"
#include "coordinator/masked_sum.h"
#include "edge_node/masked_round.h"
#include "tests/crypto/certificates/authority_keys.h"
#include "tests/temp_folder.h"

namespace freshet {

class MaskedFleet {
 public:
  static constexpr std::size_t kEntries = 50;

  struct Node {
    Identity identity = Identity::generate();
    Bytes certificate;
    ClippedUpdate update;
    std::unique_ptr<MaskedRound> round;
    std::optional<SpentBase> spent;
    std::vector<CoordinatorMessage> heard;
    bool away = false;  // nothing reaches it or comes from it
    std::uint32_t rounds_joined = 0;
  };

  explicit MaskedFleet(std::size_t count, std::uint32_t honest_min = 3);

  void all_ready();
  void tick(std::int64_t ms);  // time passes; what is due happens
  void wait_out_the_phase();   // all who are not away are heard meanwhile
  void deliver();              // until nobody has anything to say
  void restart();              // the coordinator, from journal and documents
  void vanish(std::size_t node) { nodes[node].away = true; }

  std::string_view phase() const;  // of the open round, or of the campaign
  QuantizedSum expected(const std::vector<std::size_t>& who) const;  // in the clear
  std::size_t index_of(NodeId node) const;
  std::vector<RosterMember> roster() const;  // as the nodes were told it
  Result<Bytes> document(const Digest& digest) { return hooks().get(digest); }
  const campaign::SendReceipt* receipt() const { return receipt_ ? &*receipt_ : nullptr; }

  // Called with every message before it arrives; false: it is lost.
  std::function<bool(std::size_t from, NodeMessage&)> up;
  std::function<bool(std::size_t to, CoordinatorMessage&)> down;

  AuthorityKeys authority;
  std::shared_ptr<const Trust> trust = std::make_shared<Trust>(authority.trust());
  CampaignPlan plan;
  std::vector<Node> nodes;  // by rising id
  campaign::Campaign state;
  std::optional<RoundBook> book;
  std::vector<Error> refused;  // what the book refused
  std::optional<MaskedMean> mean;
  std::string ruined;
  std::size_t documents_read = 0;
  Instant now{1'000};

 private:
  struct Letter {
    std::size_t node = 0;
    std::variant<NodeMessage, CoordinatorMessage> message;
  };
  RoundBookHooks hooks();
  MaskedRoundHooks hooks_of(std::size_t node);
  void feed(campaign::Event event);
  void follow_round();
  void act(const campaign::Effect& effect);
  void send(NodeId to, CoordinatorMessage message);
  void open_round(campaign::RoundOpened opened);
  void arrives(std::size_t node, const NodeMessage& message);
  void arrives(std::size_t node, const CoordinatorMessage& message);
  void join(std::size_t node, const MaskedInvite& invite);
  void upload(std::size_t node, const UploadChunk& chunk);
  void sum(const campaign::AddAndStep& effect);

  TempFolder folder_;
  BlobStore uploads_;
  std::map<Digest, Bytes> documents_;
  std::vector<Bytes> journal_;
  campaign::Campaign initial_;
  std::deque<Letter> letters_;
  std::deque<campaign::Event> pending_;
  std::optional<campaign::SendReceipt> receipt_;
};

Digest digest_of_sum(const QuantizedSum& sum);
std::vector<std::size_t> all_but(std::size_t count, std::vector<std::size_t> out);
void expect_published(const MaskedFleet& fleet, const std::vector<std::size_t>& who);

}  // namespace freshet
