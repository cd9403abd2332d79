#pragma once
// A reference to a function that takes a word: as std::function, but never allocates and never
// outlives what it refers to.

#include <memory>
#include <string_view>
#include <type_traits>

namespace freshet {

class WordSink {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, WordSink>)
      WordSink(F&& function)  // NOLINT: converts from any lambda
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* object, std::string_view word) {
          (*static_cast<std::remove_reference_t<F>*>(object))(word);
        }) {}

  void operator()(std::string_view word) const { call_(object_, word); }

 private:
  void* object_;
  void (*call_)(void*, std::string_view);
};

}  // namespace freshet
