// Headers and descriptors as a broken trainer or daemon may send them. The first byte says which
// descriptors come along.

#include "model/process/trainer_messages.h"

#include <sys/mman.h>

#include "base/check.h"

namespace freshet {
namespace {

std::vector<UniqueFd> descriptors(unsigned choice) {
  std::vector<UniqueFd> fds;
  for (unsigned i = 0; i < (choice & 3); ++i)
    fds.emplace_back(::memfd_create("unsealed", MFD_CLOEXEC));
  if ((choice & 4) != 0) fds.push_back(std::move(*sealed_vector({1, 2, 3})));
  return fds;
}

// What was accepted can be sent on, and means the same again.
void check_request(TrainerRequest request) {
  const std::size_t kind = request.index();
  const RequestId id = id_of(request);
  Result<std::vector<TrainerFrame>> frames = encode(std::move(request));
  CHECK(frames, "{}", frames.error().what);
  std::string header = frames->back().header;
  RequestDecoder decoder;
  Result<std::optional<TrainerRequest>> again = decoder.take(std::move(frames->back()));
  CHECK(again && *again, "{}", header);
  CHECK((*again)->index() == kind && id_of(**again) == id, "{}", header);
  frames = encode(std::move(**again));
  CHECK(frames && frames->back().header == header, "{}", header);
}

void check_reply(TrainerReply reply) {
  Result<TrainerFrame> frame = encode(std::move(reply));
  CHECK(frame, "{}", frame.error().what);
  const std::string header = frame->header;
  Result<TrainerReply> again = decode_reply(std::move(*frame));
  CHECK(again, "{}", header);
  frame = encode(std::move(*again));
  CHECK(frame && frame->header == header, "{}", header);
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  if (size == 0) return 0;
  const std::string header(as_text({data + 1, size - 1}));
  RequestDecoder decoder;
  Result<std::optional<TrainerRequest>> request = decoder.take({header, descriptors(data[0])});
  if (request && *request) check_request(std::move(**request));
  Result<TrainerReply> reply = decode_reply({header, descriptors(data[0])});
  if (reply) check_reply(std::move(*reply));
  return 0;
}
