#pragma once
// The thread that answers libzmq's question "may this CURVE key in?" (ZAP, ZeroMQ RFC 27) for one
// context. While it runs listed keys are admitted and carry their key as User-Id; when it does not
// run, nobody is. For this folder only.

#include <memory>

#include "transport/zeromq_router.h"

namespace freshet {

class ZapHandler {
 public:
  // `context` is a libzmq context that outlives the handler; one handler a context. Start it before
  // any bind.
  static Result<std::unique_ptr<ZapHandler>> start(void* context, ZeromqRouter::Handshake admits);
  ~ZapHandler();  // stops the thread

 private:
  struct State;
  explicit ZapHandler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
