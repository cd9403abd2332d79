#include "model/language_model.h"

#include <numbers>

namespace freshet {

double Evaluation::bits_per_byte() const {
  return bytes == 0 ? 0 : nll / std::numbers::ln2 / static_cast<double>(bytes);
}

}  // namespace freshet
