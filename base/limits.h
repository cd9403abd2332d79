#pragma once
// Every bound of the system in one place, checked against each other at compile time.

#include <cstddef>
#include <cstdint>

namespace freshet::limits {

inline constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

// JSON, TOML and other small documents
inline constexpr std::size_t kJsonDepthMax = 64;
inline constexpr std::size_t kSmallFileBytesMax =
    64 * kMiB;  // tokenizer.json of a large vocabulary

// wire
inline constexpr std::size_t kChunkBytes = 256 * kKiB;  // bulk data travels in chunks of this size
inline constexpr std::size_t kFrameBytesMax =
    kChunkBytes + 8 * kKiB;                         // ZMQ_MAXMSGSIZE; one signed message
inline constexpr std::size_t kTextBytesMax = 1024;  // any string inside a message
inline constexpr int kMessageDepthMax = 16;         // pointers behind one another in one message
inline constexpr int kPeerQueueFrames = 32;         // send and receive high-water mark, per peer
inline constexpr int kHandshakeMs = 5000;
inline constexpr int kReconnectMs = 100,
                     kReconnectMsMax = 5000;  // back-off doubles from the first to the second
inline constexpr int kLingerMs = 250;         // for last words when an end closes
inline constexpr int kConnectionsWaitingMax = 1024;  // not yet accepted
inline constexpr std::size_t kPeersMax = 20'000;     // keys that one router talks to
inline constexpr std::size_t kVectorEntriesMax = std::size_t{1} << 28;  // one update
inline constexpr std::size_t kBlobBytesMax = kVectorEntriesMax * 4 + kMiB;
inline constexpr std::uint32_t kChunkCreditMax = 8;  // chunks of one upload under way
inline constexpr std::uint32_t kUploadsCredit = 256;  // chunks of all uploads to one coordinator
inline constexpr std::size_t kStagingsMax = 20'000;  // unfinished uploads in one store

// federation
inline constexpr std::size_t kCohortMax = 10'000;
inline constexpr std::size_t kMaskedCohortMax =
    1024;  // of one masked round: what fits into a frame
inline constexpr std::size_t kRosterPageMembers = 256;
inline constexpr std::size_t kCertificateBytesMax = 512;
inline constexpr std::uint32_t kExtraWordsMax = 4096;  // of one vector, for evaluation
inline constexpr std::uint32_t kRoundsMax = 100'000;
inline constexpr std::uint32_t kWeightMax = 65'535;
inline constexpr int kQuantizationBitsMax = 24;

// what a plan may ask of a node
inline constexpr std::size_t kPlanNameBytesMax = 64;
inline constexpr std::size_t kCampaignFileBytesMax = 64 * kKiB;
inline constexpr int kTrainingStepsMax = 100'000;
inline constexpr int kTrainingBatchMax = 1024;
inline constexpr int kTrainingWindowMax = 32'768;  // tokens
inline constexpr std::uint64_t kChargedStepsMax =
    10'000'000;  // of one training that a privacy ledger counts
inline constexpr int kDistillationTopKMax = 1024;
inline constexpr std::int64_t kReadyMsMax = 7LL * 24 * 3'600'000;
inline constexpr std::int64_t kRoundMsMax = 24LL * 3'600'000;

// the machines of a campaign
inline constexpr std::int64_t kHeartbeatMs = 5'000;
inline constexpr std::int64_t kSilenceMs = 20'000;   // not heard for so long: the node has vanished
inline constexpr std::uint32_t kRoundAbortsMax = 5;  // in a row: the campaign fails
inline constexpr std::uint32_t kOffencesMax = 3;     // of one node: it is out of the campaign
inline constexpr std::size_t kKnownNodesMax = 100'000;  // that one campaign remembers
inline constexpr std::int64_t kGatherMs =
    7LL * 24 * 3'600'000;  // no cohort for so long: the campaign fails
inline constexpr std::int64_t kRetryMs = 2'000,
                              kRetryMsMax =
                                  60'000;  // back-off doubles from the first to the second
inline constexpr std::uint32_t kTrainingFailuresMax =
    5;  // in a row, from one version: the node gives it up
inline constexpr std::int64_t kSpentMs =
    60'000;  // for others, where nodes cannot contribute any more
inline constexpr std::size_t kReasonBytesMax = 1024;  // why a round or campaign ended
inline constexpr std::size_t kVersionsKept =
    8;  // of a campaign, the current one among them: to go back to
inline constexpr std::uint32_t kGroupsMax = 64;  // masked sums that make one version

// operator's interface and the coordinator's own files
inline constexpr std::size_t kNodeNameBytesMax = 64;
inline constexpr std::size_t kAllowListBytesMax = 16 * kMiB;
inline constexpr std::size_t kOperatorsMax = 16;  // connections to the operator's socket
inline constexpr std::size_t kOperatorLineBytesMax = 256 * kKiB;  // one JSON document
inline constexpr std::size_t kOperatorQueueBytesMax =
    4 * kMiB;                                     // unread by an operator: then it is dropped
inline constexpr std::size_t kOutboxFrames = 16;  // for one peer whose queue is full or who is away
inline constexpr std::int64_t kOutboxMs = 30'000;  // older frames are dropped: the peer asks again
inline constexpr std::uint32_t kUploadTriesMax = 3;  // different uploads of one node for one round
inline constexpr int kFramesPerTurn = 256;  // taken from the transport before time is looked at
inline constexpr std::size_t kCampaignsMax = 1000;  // in one coordinator's folder

// a node's daemon, which moves vectors and computes nothing large
inline constexpr std::uint64_t kNodeOpenFilesMax = 1024, kNodeMemoryBytesMax = 16 * kGiB;

// authority, certificates, joining
inline constexpr std::size_t kRevocationsMax = 16'384;  // in one list
inline constexpr std::size_t kIssuersMax = 8;           // that one root has at a time
inline constexpr std::int64_t kClockSlackS = 300;       // that two honest clocks may differ
inline constexpr std::size_t kBundleBytesMax =
    256 * kKiB;                                       // of trust: root, issuers, revocation list
inline constexpr std::size_t kAddressBytesMax = 256;  // tcp://HOST:PORT in a join token
inline constexpr std::size_t kTokensMax = 100'000;    // that an authority remembers
inline constexpr std::size_t kCertificatesMax = 100'000;  // of one authority
inline constexpr std::size_t kCertificatesPerPage = 512;  // of an authority's directory
inline constexpr int kJoinsPerSecond = 20,
                     kJoinsAtOnce = 100;  // requests of strangers that an authority looks at
inline constexpr int kHandshakesPerSecond = 20,
                     kHandshakesAtOnce = 100;  // connections of one address
inline constexpr std::size_t kRequestBytesMax =
    kKiB;  // of what a stranger may send to an authority
inline constexpr std::uint64_t kAuthorityOpenFilesMax = 16 * 1024,
                               kAuthorityMemoryBytesMax = 4 * kGiB;
inline constexpr std::size_t kAddressesMax = 4096;  // whose handshakes are counted at a time

// masked rounds
inline constexpr std::uint32_t kCompleteGraphMax =
    256;  // members; above, a sparse graph joins them
inline constexpr std::uint32_t kShareSubsetsMax =
    256;  // of a secret's shares, tried when some are wrong

// robust rules over opened updates: every two are compared, and blocks of their coordinates are
// held in memory
inline constexpr std::uint32_t kRobustUpdatesMax = 1024, kRobustPassesMax = 1000;
inline constexpr std::size_t kRobustBlockBytes = 128 * kMiB;

// ledgers
inline constexpr std::size_t kRecordBytesMax = 4 * kKiB;
inline constexpr std::size_t kRecordFileBytesMax = 64 * kMiB;

// secrets in guarded pages; more of them live in plain memory, wiped all the same
inline constexpr std::size_t kGuardedSecretsMax = 4096;

// text
inline constexpr std::size_t kTextFileBytesMax = kGiB;
inline constexpr std::size_t kTextFilesMax = 100'000;
inline constexpr std::size_t kRowBytesMax = 16 * kMiB;  // one line of a .jsonl file
inline constexpr std::size_t kRowMessagesMax = 4096;
inline constexpr std::size_t kTemplateBytesMax = 256 * kKiB;
inline constexpr int kTemplateDepthMax = 64;
inline constexpr std::size_t kTemplateStepsMin = 20'000,
                             kTemplateStepsPerByte = 64;  // to print one conversation
inline constexpr std::size_t kTemplateCopiesMax = 64;     // of its text, made on the way

// models
inline constexpr std::size_t kSafetensorsHeaderBytesMax = 16 * kMiB;
inline constexpr std::size_t kTensorDimensionsMax = 8;
inline constexpr std::size_t kTensorBytesMax = 1024 * kGiB;
inline constexpr int kVocabularyMax = 1 << 20;
inline constexpr int kAdapterRankMax = 1024;
inline constexpr std::size_t kTokenizerConfigBytesMax = 4 * kMiB;
inline constexpr std::size_t kScoredTokenBytesMax =
    1024;  // a longer token of a scored vocabulary is never merged
inline constexpr std::size_t kTokenizerStepsMax =
    32;  // of a normaliser, a pre-tokenizer or a decoder
inline constexpr double kTokenizerGrowthMax =
    64;  // times the text that a normaliser may make of it
inline constexpr std::size_t kPatternBytesMax = 16 * kKiB;  // a regular expression of a file
inline constexpr std::uint32_t kPatternStepsMax = 10'000'000,
                               kPatternHeapKiBMax = 64 * 1024;  // of one match
inline constexpr std::uint32_t kPatternStepsFree =
    256;  // of a match at one place; more is paid from what the text gives:
inline constexpr std::uint64_t kPatternStepsMin = 20'000, kPatternStepsPerByte = 200;
inline constexpr std::int64_t kPatternMicrosMin = 250'000,
                              kPatternMicrosPerByte = 20;  // of the processor, for one text
inline constexpr std::size_t kLayersMax = 1024;
inline constexpr std::size_t kEndIdsMax = 64;  // ids that end a text
inline constexpr std::size_t kAdapterTargetsMax = 1024, kAdapterPatternsMax = 128;
inline constexpr std::size_t kAdapterTargetBytesMax = 256;  // of one target or pattern
inline constexpr std::size_t kModelShardsMax = 100;         // files of one model's weights
inline constexpr std::size_t kGgufTensorsMax = 1 << 20, kGgufMetadataMax = 1 << 16,
                             kGgufDimensionsMax = 4;
inline constexpr std::size_t kGgufAlignmentMax = 1 << 16;

// a saved training
inline constexpr std::size_t kTrainingTermsMax = 64, kTrainingTermBytesMax = 16 * kKiB;

// trainer process
inline constexpr std::size_t kTrainerHeaderBytesMax = 64 * kKiB;
inline constexpr std::size_t kTrainerFrameFilesMax =
    128;  // the kernel takes at most 253 descriptors at a time
inline constexpr std::size_t kTrainerRequestsMax = 64;    // not yet answered
inline constexpr std::size_t kTrainerNameBytesMax = 128;  // of a file or a corpus
inline constexpr int kTrainerProgressEveryMs = 250;

static_assert(kFrameBytesMax > kChunkBytes + 4 * kKiB,
              "a chunk must fit into a frame with its envelope");
static_assert(kSilenceMs >= 3 * kHeartbeatMs, "two lost heartbeats must not make a node vanish");
static_assert(kTextBytesMax * 4 < kFrameBytesMax,
              "a message with a few strings must fit into a frame");
static_assert(kTrainerFrameFilesMax * (kTrainerNameBytesMax + 3) < kTrainerHeaderBytesMax,
              "a frame full of file names must fit into its header");
static_assert(kModelShardsMax + 6 <= kTrainerFrameFilesMax,
              "a model's files must fit into one frame");

}  // namespace freshet::limits
