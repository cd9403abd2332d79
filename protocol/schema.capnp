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
  }
}

struct Hello {
  protocol @0 :UInt32;
  software @1 :Text;
  model @2 :Data;  # 32 bytes, as every digest
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
}

enum Mode {
  trustedCoordinator @0;
}

enum Method {
  fedit @0;
  ffa @1;
  rolora @2;
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
