# The typed part of a frame (docs/protocol.md). Fields keep their numbers for ever; a new one gets the next number and a
# default that means what older programs did. Bulk data of chunks travels behind the message, not in it.
@0xbf8fde602d47701e;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("freshet::wire");

struct NodeMessage {
  union {
    hello @0 :Hello;
    heartbeat @1 :Heartbeat;
    ready @2 :Ready;
    fetch @3 :Fetch;
    uploadChunk @4 :UploadChunk;
    advertise @5 :Advertise;
    shareBundle @6 :ShareBundle;
    complaint @7 :Complaint;
    agreeSurvivors @8 :Agreement;
    agreeAbort @9 :Agreement;
    reveal @10 :Reveal;
    decline @11 :Decline;
  }
}

struct CoordinatorMessage {
  union {
    announce @0 :Announce;
    invite @1 :Invite;
    chunkAck @2 :ChunkAck;
    chunk @3 :Chunk;
    receipt @4 :Receipt;
    finished @5 :Finished;
    refused @6 :Refused;
    maskedInvite @7 :MaskedInvite;
    rosterPage @8 :RosterPage;
    forward @9 :Forward;
    survivors @10 :Survivors;
    quorum @11 :Quorum;
    askAbort @12 :AskAbort;
  }
}

struct Hello {
  protocol @0 :UInt32;
  software @1 :Text;
  model @2 :Data;  # 32 bytes, as every digest
  frames @3 :UInt16;
}

struct Heartbeat {
  campaign @0 :UInt64;
  base @1 :UInt64;
  activity @2 :Activity;
}

enum Activity {
  idle @0;
  fetching @1;
  training @2;
  ready @3;
  uploading @4;
}

struct Ready {
  campaign @0 :UInt64;
  base @1 :UInt64;
}

struct Fetch {
  blob @0 :Data;
  offset @1 :UInt64;
}

struct UploadChunk {
  campaign @0 :UInt64;
  round @1 :UInt64;
  blob @2 :Data;
  size @3 :UInt64;
  offset @4 :UInt64;
  dataBytes @5 :UInt32;  # of the data behind the message
}

struct Announce {
  campaign @0 :UInt64;
  plan @1 :Plan;
  version @2 :UInt64;
  adapter @3 :Data;
  adapterBytes @4 :UInt64;
  layout @5 :Data;
  frames @6 :UInt16;
}

struct Plan {
  name @0 :Text;
  mode @1 :Mode;
  method @2 :Method;
  rule :union {
    sgd :group {
      lr @3 :Float32;
    }
    momentum :group {
      lr @4 :Float32;
      beta @5 :Float32;
    }
    adam :group {
      lr @6 :Float32;
      beta1 @7 :Float32;
      beta2 @8 :Float32;
      tau @9 :Float32;
    }
    yogi :group {
      lr @10 :Float32;
      beta1 @11 :Float32;
      beta2 @12 :Float32;
      tau @13 :Float32;
    }
  }
  rounds @14 :UInt32;
  cohortMin @15 :UInt32;
  cohortMax @16 :UInt32;
  survivorsMin @17 :UInt32;
  readyMs @18 :Int64;
  roundMs @19 :Int64;
  lora @20 :Lora;
  training @21 :Training;
  clip @22 :Float64;
  grid @23 :Grid;
  model @24 :Data;
  masking @25 :Masking;
  privacy @26 :Privacy;
  evaluation @27 :Bool;
  examples @28 :Examples;
  logits @29 :Logits;
}

struct Logits {
  on @0 :Bool;
  question @1 :Data;
  rows @2 :UInt32;
  candidates @3 :UInt32;
  temperature @4 :Float32;
  slope @5 :Float32;
  full @6 :Float32;
}

enum Mode {
  trustedCoordinator @0;
  masked @1;
}

struct Masking {
  honestMin @0 :UInt32 = 4;
  corrupt @1 :Fraction;
  dropped @2 :Fraction;
  newcomers @3 :Fraction;
  phaseMs @4 :Int64 = 30000;
}

struct Fraction {
  part @0 :UInt32;
  whole @1 :UInt32;
}

struct Privacy {
  on @0 :Bool;
  epsilon @1 :Float64;
  delta @2 :Float64;
  noiseMultiplier @3 :Float64;
  samplingRate @4 :Float64;
  honestMin @5 :UInt32;
  adaptiveClip @6 :Bool;
  clipQuantile @7 :Float64;
  clipRate @8 :Float64;
}

struct Examples {
  noiseMultiplier @0 :Float64;
  clip @1 :Float32 = 1;
}

enum Method {
  fedit @0;
  ffa @1;
  rolora @2;
  fedsvd @3;
  fedsb @4;
}

struct Lora {
  rank @0 :Int32;
  alpha @1 :Float32;
  targets @2 :List(Text);
  seed @3 :UInt64;
}

struct Training {
  steps @0 :Int32;
  batch @1 :Int32;
  window @2 :Int32;
  lr @3 :Float32;
  seed @4 :UInt64;
}

struct Grid {
  range @0 :Float32;
  bits @1 :Int32;
  weightMax @2 :UInt32;
}

struct Invite {
  campaign @0 :UInt64;
  round @1 :UInt64;
  base @2 :UInt64;
  cohort @3 :UInt32;
  remainingMs @4 :Int64;
  sealTo @5 :Data;  # 32 bytes, X25519
}

struct ChunkAck {
  round @0 :UInt64;
  blob @1 :Data;
  nextOffset @2 :UInt64;
  credit @3 :UInt32;
}

struct Chunk {
  blob @0 :Data;
  size @1 :UInt64;
  offset @2 :UInt64;
  dataBytes @3 :UInt32;  # of the data behind the message
}

struct Receipt {
  campaign @0 :UInt64;
  round @1 :UInt64;
  published @2 :Bool;
  version @3 :UInt64;
  survivors @4 :List(UInt64);  # rising
  masked @5 :MaskedReceipt;  # null: none was masked
}

struct MaskedReceipt {
  sid @0 :Data;
  survivors @1 :Data;  # digest of the list of places
  count @2 :UInt32;
  sum @3 :Data;  # digest of the unmasked words
  epsilon @4 :Float64;  # spent by the campaign so far
  signature @5 :Data;  # 64 bytes
}

struct Finished {
  campaign @0 :UInt64;
  version @1 :UInt64;
}

struct Refused {
  code @0 :Code;
  why @1 :Text;
}

enum Code {
  badInput @0;
  refused @1;
  unavailable @2;
  expired @3;
  noSpace @4;
  corrupt @5;
}

# ---- masked rounds. Records of one length follow one another in a Data without gaps, numbers little-endian
# (docs/protocol.md). A place is u32: a member's place in the roster, from 0.

struct Advertise {
  sid @0 :Data;
  certificate @1 :Data;
  advert @2 :Data;  # 128 bytes: cipher key, mask key, commitment, nonce
  signature @3 :Data;
  possession @4 :Data;  # 64 bytes: proof that its owner knows the cipher key's secret
}

struct ShareBundle {
  sid @0 :Data;
  roster @1 :Data;
  boxes @2 :Data;  # 204 bytes each: place, box (136), signature (64)
}

struct Complaint {
  sid @0 :Data;
  box @1 :Data;  # one record of a box
  evidence @2 :Data;  # 96 bytes: what was agreed on, proof
  signature @3 :Data;
}

struct Agreement {
  sid @0 :Data;
  signature @1 :Data;
}

struct Reveal {
  sid @0 :Data;
  shares @1 :Data;  # 37 bytes each: place, 1 for a self mask and 0 for pair masks, scalar (32)
}

struct Decline {
  sid @0 :Data;
  why @1 :Why;
  enum Why {
    policy @0;
    model @1;
    roster @2;
    trust @3;
    survivors @4;
    quorum @5;
    budget @6;
    spent @7;
    failed @8;
  }
}

struct MaskedInvite {
  campaign @0 :UInt64;
  descriptor @1 :Data;
  signature @2 :Data;
  remainingMs @3 :Int64;
  aborted @4 :List(Quorum);
}

struct RosterPage {
  sid @0 :Data;
  opening @1 :Data;
  trust @2 :Data;
  trustBytes @3 :UInt64;
  first @4 :UInt32;
  total @5 :UInt32;
  members @6 :List(Advertise);  # without their sid
}

struct Forward {
  sid @0 :Data;
  sharers @1 :List(UInt32);
  boxes @2 :Data;
}

struct Survivors {
  sid @0 :Data;
  survivors @1 :List(UInt32);
}

struct Quorum {
  sid @0 :Data;
  signatures @1 :Data;  # 68 bytes each: place, signature
}

struct AskAbort {
  sid @0 :Data;
  why @1 :Text;
}
