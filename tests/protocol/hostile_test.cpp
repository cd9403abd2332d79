// What a peer with a good key may send and no honest program does: messages made by hand, framed
// and signed here from docs/protocol.md, and refused by the decoder with a reason.

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/limits.h"
#include "protocol/schema.capnp.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

Bytes frame_of(const Identity& signer, NodeId sender, ByteView body) {
  Bytes frame = {'F', 'R', 1, 0};
  frame.resize(68);
  for (int i = 0; i < 8; ++i) frame.push_back(static_cast<std::uint8_t>(sender.value >> (8 * i)));
  frame.resize(84);  // sequence 0
  frame.insert(frame.end(), body.begin(), body.end());
  const Signature signature = sign(signer, "freshet/frame/v1", ByteView(frame).subspan(68));
  std::copy(signature.begin(), signature.end(), frame.begin() + 4);
  return frame;
}

Bytes bytes_of(capnp::MessageBuilder& builder, ByteView data = {}) {
  const auto words = capnp::messageToFlatArray(builder);
  Bytes body = to_bytes({words.asBytes().begin(), words.asBytes().size()});
  body.insert(body.end(), data.begin(), data.end());
  return body;
}

std::string error_from_node(ByteView body) {
  const Identity node = samples::node_identity();
  const auto decoded = decode_from_node(frame_of(node, node.open.id(), body), node.open.signing);
  if (decoded) return "decoded";
  EXPECT_EQ(decoded.error().code, Code::kBadInput);
  return decoded.error().what;
}

std::string error_from_coordinator(ByteView body) {
  const Identity coordinator = samples::coordinator_identity();
  const auto decoded =
      decode_from_coordinator(frame_of(coordinator, {}, body), coordinator.open.signing);
  if (decoded) return "decoded";
  EXPECT_EQ(decoded.error().code, Code::kBadInput);
  return decoded.error().what;
}

template <class Root>
Bytes made(const std::function<void(typename Root::Builder)>& fill, ByteView data = {}) {
  capnp::MallocMessageBuilder builder;
  fill(builder.initRoot<Root>());
  return bytes_of(builder, data);
}
constexpr auto kNode = made<wire::NodeMessage>;
constexpr auto kCoordinator = made<wire::CoordinatorMessage>;

const Bytes kDigest(32);
capnp::Data::Reader digest_data() { return {kDigest.data(), kDigest.size()}; }

void fill_hello(wire::Hello::Builder hello, std::string_view software, std::size_t digest_bytes) {
  hello.setSoftware({software.data(), software.size()});
  hello.initModel(static_cast<unsigned>(digest_bytes));
}

TEST(Hostile, AHandMadeMessageIsReadWhenItIsHonest) {
  EXPECT_EQ(error_from_node(kNode([](auto m) { fill_hello(m.initHello(), "x", 32); }, {})),
            "decoded");
}

TEST(Hostile, TextsAreBoundedAndWithoutControlCharacters) {
  const std::string longest(1024, 'x'), longer(1025, 'x'), bell("a\ab");
  EXPECT_EQ(error_from_node(kNode([&](auto m) { fill_hello(m.initHello(), longest, 32); }, {})),
            "decoded");
  EXPECT_EQ(error_from_node(kNode([&](auto m) { fill_hello(m.initHello(), longer, 32); }, {})),
            "software has 1025 bytes of text: at most 1024 are allowed");
  EXPECT_EQ(error_from_node(kNode([&](auto m) { fill_hello(m.initHello(), bell, 32); }, {})),
            "software has a control character");
}

TEST(Hostile, DigestsHave32Bytes) {
  EXPECT_EQ(error_from_node(kNode([](auto m) { fill_hello(m.initHello(), "x", 31); }, {})),
            "model has 31 bytes, not 32");
  EXPECT_EQ(error_from_node(kNode([](auto m) { fill_hello(m.initHello(), "x", 33); }, {})),
            "model has 33 bytes, not 32");
  EXPECT_EQ(error_from_node(kNode([](auto m) { m.initFetch(); }, {})), "blob has 0 bytes, not 32");
}

TEST(Hostile, NumbersOutsideAnEnumAreRefused) {
  EXPECT_EQ(error_from_node(kNode(
                [](auto m) { m.initHeartbeat().setActivity(static_cast<wire::Activity>(5)); }, {})),
            "an activity that this program does not know");
  EXPECT_EQ(error_from_coordinator(kCoordinator(
                [](auto m) { m.initRefused().setCode(static_cast<wire::Code>(6)); }, {})),
            "a reason that this program does not know");
}

TEST(Hostile, AnUnknownMessageIsRefused) {
  Bytes body = kNode([](auto m) { m.initReady(); }, {});
  body[16] = 77;  // segment table, root pointer, then the union's number
  EXPECT_EQ(error_from_node(body), "a message that this program does not know");
}

TEST(Hostile, DataMustBeWhatTheMessageAnnounces) {
  const auto chunk = [](std::uint64_t size, std::uint64_t offset, std::uint32_t announced,
                        std::size_t there) {
    return error_from_node(kNode(
        [&](wire::NodeMessage::Builder message) {
          auto upload = message.initUploadChunk();
          upload.setBlob(digest_data());
          upload.setSize(size);
          upload.setOffset(offset);
          upload.setDataBytes(announced);
        },
        Bytes(there)));
  };
  EXPECT_EQ(chunk(100, 90, 10, 10), "decoded");
  EXPECT_EQ(chunk(100, 100, 0, 0), "decoded");
  EXPECT_EQ(chunk(100, 90, 9, 10), "10 bytes behind a message that announces 9");
  EXPECT_EQ(chunk(100, 90, 10, 0), "0 bytes behind a message that announces 10");
  EXPECT_EQ(chunk(100, 91, 10, 10), "a chunk of 10 bytes at 91 of a blob of 100");
  EXPECT_EQ(chunk(100, 0xffffffffffffffff, 10, 10),
            "a chunk of 10 bytes at 18446744073709551615 of a blob of 100");
  EXPECT_EQ(chunk(1000000, 0, 262145, 262145), "a chunk of 262145 bytes at 0 of a blob of 1000000");
  EXPECT_EQ(chunk(std::uint64_t{1} << 40, 0, 0, 0),
            "a blob of 1099511627776 bytes: at most 1074790400 are allowed");
  EXPECT_EQ(error_from_node(kNode([](auto m) { m.initReady(); }, Bytes(3))),
            "3 bytes behind a message that announces 0");
}

TEST(Hostile, SurvivorsAreBoundedAndRising) {
  const auto receipt = [](const std::vector<std::uint64_t>& survivors) {
    return error_from_coordinator(kCoordinator(
        [&](wire::CoordinatorMessage::Builder message) {
          auto list = message.initReceipt().initSurvivors(static_cast<unsigned>(survivors.size()));
          for (unsigned i = 0; i < list.size(); ++i) list.set(i, survivors[i]);
        },
        {}));
  };
  EXPECT_EQ(receipt({1, 2, 3}), "decoded");
  EXPECT_EQ(receipt({1, 3, 2}), "a receipt whose survivors are not in rising order");
  EXPECT_EQ(receipt({1, 1}), "a receipt whose survivors are not in rising order");
  EXPECT_EQ(receipt(std::vector<std::uint64_t>(10001)), "a receipt with 10001 survivors");
}

// A good plan, changed on the wire.
std::string announce(const std::function<void(wire::Plan::Builder)>& change) {
  return error_from_coordinator(kCoordinator(
      [&](wire::CoordinatorMessage::Builder message) {
        auto to = message.initAnnounce();
        to.setAdapter(digest_data());
        to.setLayout(digest_data());
        auto plan = to.initPlan();
        plan.setName("p");
        plan.getRule().initAdam().setLr(1);
        plan.getRule().getAdam().setTau(1);
        plan.setRounds(1);
        plan.setCohortMin(1);
        plan.setCohortMax(1);
        plan.setSurvivorsMin(1);
        plan.setRoundMs(1);
        plan.initLora().setRank(1);
        plan.getLora().setAlpha(1);
        auto training = plan.initTraining();
        training.setSteps(1);
        training.setBatch(1);
        training.setWindow(2);
        training.setLr(1);
        plan.setClip(1);
        auto grid = plan.initGrid();
        grid.setRange(1);
        grid.setBits(8);
        grid.setWeightMax(1);
        plan.setModel(digest_data());
        change(plan);
      },
      {}));
}

TEST(Hostile, APlanIsValidatedOnArrival) {
  EXPECT_EQ(announce([](auto) {}), "decoded");
  EXPECT_EQ(announce([](auto p) { p.setClip(std::nan("")); }),
            "[update] clip is nan: it must be a finite number above 0");
  EXPECT_EQ(announce([](auto p) { p.getGrid().setRange(std::nanf("")); }),
            "[update] range is nan: it must be a finite number above 0");
  EXPECT_EQ(announce([](auto p) { p.getTraining().setLr(INFINITY); }),
            "[training] lr is inf: it must be a finite number above 0");
  EXPECT_EQ(announce([](auto p) { p.getTraining().setWindow(-5); }),
            "[training] window is -5: it must be in [2, 32768]");
  EXPECT_EQ(announce([](auto p) { p.getRule().getAdam().setBeta2(std::nanf("")); }),
            "[server] beta2 is nan: it must be in [0, 1)");
  EXPECT_EQ(announce([](auto p) { p.setMethod(static_cast<wire::Method>(9)); }),
            "a method that this program does not know");
  EXPECT_EQ(announce([](auto p) { p.setMode(static_cast<wire::Mode>(2)); }),
            "a mode that this program does not know");
  EXPECT_EQ(announce([](auto p) { p.getLora().initTargets(17); }),
            "a plan with too many LoRA targets");
  EXPECT_EQ(announce([](auto p) { p.initModel(5); }), "the plan's model has 5 bytes, not 32");
}

std::string bundle(std::size_t bytes, std::uint32_t second_place = 2) {
  return error_from_node(kNode(
      [&](wire::NodeMessage::Builder message) {
        auto to = message.initShareBundle();
        to.setSid(digest_data());
        to.setRoster(digest_data());
        auto boxes = to.initBoxes(static_cast<unsigned>(bytes));
        if (bytes > 0) boxes[0] = 1;
        for (unsigned i = 0; i < 4 && bytes >= 408; ++i)
          boxes[204 + i] = static_cast<kj::byte>(second_place >> (8 * i));
      },
      {}));
}

TEST(Hostile, RecordsAreWholeAndTheirPlacesRise) {
  EXPECT_EQ(bundle(0), "decoded");
  EXPECT_EQ(bundle(204), "decoded");
  EXPECT_EQ(bundle(408), "decoded");
  EXPECT_EQ(bundle(203), "boxes has 203 bytes: want up to 1024 records of 204");
  EXPECT_EQ(bundle(204 * 1025), "boxes has 209100 bytes: want up to 1024 records of 204");
  EXPECT_EQ(bundle(408, 1), "boxes: places that do not rise");
  EXPECT_EQ(bundle(408, 0), "boxes: places that do not rise");
  EXPECT_EQ(bundle(408, 1024), "boxes: places that do not rise");
}

TEST(Hostile, ListsOfPlacesRiseAndAreBounded) {
  const auto survivors = [](std::initializer_list<std::uint32_t> places) {
    return error_from_coordinator(kCoordinator(
        [&](auto message) {
          auto to = message.initSurvivors();
          to.setSid(digest_data());
          auto list = to.initSurvivors(static_cast<unsigned>(places.size()));
          unsigned i = 0;
          for (const std::uint32_t place : places) list.set(i++, place);
        },
        {}));
  };
  EXPECT_EQ(survivors({0, 3, 1023}), "decoded");
  EXPECT_EQ(survivors({3, 3}), "survivors: places that do not rise");
  EXPECT_EQ(survivors({3, 2}), "survivors: places that do not rise");
  EXPECT_EQ(survivors({1024}), "survivors: places that do not rise");
  EXPECT_EQ(error_from_coordinator(kCoordinator(
                [](auto m) {
                  auto to = m.initForward();
                  to.setSid(digest_data());
                  to.initSharers(1025);
                },
                {})),
            "sharers has 1025 places: at most 1024 are allowed");
}

TEST(Hostile, DocumentsOfAMaskedRoundHaveTheirLength) {
  const auto advertise = [](unsigned certificate, unsigned advert, unsigned signature,
                            unsigned possession = 64) {
    return error_from_node(kNode(
        [&](auto m) {
          auto to = m.initAdvertise();
          to.setSid(digest_data());
          to.initCertificate(certificate);
          to.initAdvert(advert);
          to.initSignature(signature);
          to.initPossession(possession);
        },
        {}));
  };
  EXPECT_EQ(advertise(245, 128, 64), "decoded");
  EXPECT_EQ(advertise(513, 128, 64), "certificate has 513 bytes: at most 512 are allowed");
  EXPECT_EQ(advertise(245, 127, 64), "advert has 127 bytes, not 128");
  EXPECT_EQ(advertise(245, 128, 65), "signature has 65 bytes, not 64");
  EXPECT_EQ(advertise(245, 128, 64, 0), "possession has 0 bytes, not 64");
  const auto complaint = [](unsigned box, unsigned evidence) {
    return error_from_node(kNode(
        [&](auto m) {
          auto to = m.initComplaint();
          to.setSid(digest_data());
          to.initBox(box);
          to.initEvidence(evidence);
          to.initSignature(64);
        },
        {}));
  };
  EXPECT_EQ(complaint(204, 96), "decoded");
  EXPECT_EQ(complaint(0, 96), "a complaint is about one box");
  EXPECT_EQ(complaint(204, 95), "evidence has 95 bytes, not 96");
  EXPECT_EQ(error_from_node(kNode(
                [](auto m) {
                  auto to = m.initReveal();
                  to.setSid(digest_data());
                  to.initShares(37)[4] = 2;
                },
                {})),
            "shares: places that do not rise");
  EXPECT_EQ(error_from_node(kNode(
                [](auto m) {
                  auto to = m.initDecline();
                  to.setSid(digest_data());
                  to.setWhy(static_cast<wire::Decline::Why>(9));
                },
                {})),
            "a reason that this program does not know");
}

TEST(Hostile, PagesOfARosterLieWithinIt) {
  const auto page = [](std::uint32_t first, std::uint32_t total, unsigned members) {
    return error_from_coordinator(kCoordinator(
        [&](auto m) {
          auto to = m.initRosterPage();
          to.setSid(digest_data());
          to.setOpening(digest_data());
          to.setTrust(digest_data());
          to.setFirst(first);
          to.setTotal(total);
          auto list = to.initMembers(members);
          for (unsigned i = 0; i < members; ++i) {
            list[i].initAdvert(128);
            list[i].initPossession(64);
            list[i].initSignature(64);
          }
        },
        {}));
  };
  EXPECT_EQ(page(0, 2, 2), "decoded");
  EXPECT_EQ(page(256, 300, 44), "decoded");
  EXPECT_EQ(page(1, 2, 2), "a roster's page of 2 members from 1 of 2");
  EXPECT_EQ(page(0xffffffff, 2, 2), "a roster's page of 2 members from 4294967295 of 2");
  EXPECT_EQ(page(0, 1025, 1), "a roster's page of 1 members from 0 of 1025");
  EXPECT_EQ(page(0, 257, 257), "a roster's page of 257 members from 0 of 257");
}

TEST(Hostile, ReceiptsCarryNumbers) {
  const auto receipt = [](double epsilon) {
    return error_from_coordinator(kCoordinator(
        [&](auto m) {
          auto to = m.initReceipt().initMasked();
          to.setSid(digest_data());
          to.setSurvivors(digest_data());
          to.setSum(digest_data());
          to.initSignature(64);
          to.setEpsilon(epsilon);
        },
        {}));
  };
  EXPECT_EQ(receipt(1.5), "decoded");
  EXPECT_EQ(receipt(std::nan("")), "a receipt whose epsilon is no number");
  EXPECT_EQ(receipt(-1), "a receipt whose epsilon is no number");
}

TEST(Hostile, MalformedPointersAndTablesAreRefused) {
  EXPECT_EQ(error_from_node({}).substr(0, 19), "a malformed message");
  const Bytes honest = kNode([](auto m) { fill_hello(m.initHello(), "x", 32); }, {});
  for (const auto& [at, value] :
       {std::pair<std::size_t, std::uint8_t>{0, 0xff},  // segments without end
        {3, 0x80},
        {7, 0x7f},      // a segment of 16 GB
        {8, 0xfc},      // a root far outside
        {15, 0xff},     // a root of 64K pointers
        {24, 0xfe}}) {  // the pointer to Hello, kind and offset
    Bytes body = honest;
    body[at] = value;
    EXPECT_NE(error_from_node(body), "decoded") << "byte " << at;
  }
}

TEST(Hostile, AFrameInTheNameOfAnotherNodeIsRefused) {
  const Identity node = samples::node_identity();
  const Bytes body = kNode([](auto m) { m.initReady(); }, {});
  const auto decoded = decode_from_node(frame_of(node, {0xabc}, body), node.open.signing);
  EXPECT_EQ(decoded.error().code, Code::kRefused);
  EXPECT_NE(decoded.error().what.find("in the name of 0000000000000abc"), std::string::npos)
      << decoded.error().what;
}

}  // namespace
}  // namespace freshet
