#include "coordinator/refactoring.h"

#include "aggregation/refactor.h"
#include "base/check.h"

namespace freshet {

void refactor_modules(const Layout& whole, std::vector<float>& adapter) {
  CHECK(adapter.size() == whole.size && whole.entries.size() % 2 == 0, "{} values, {} factors",
        adapter.size(), whole.entries.size());
  const std::span<float> values(adapter);
  for (std::size_t i = 0; i < whole.entries.size(); i += 2) {
    const LayoutEntry &a = whole.entries[i], &b = whole.entries[i + 1];
    CHECK(a.factor == Factor::kA && b.factor == Factor::kB && a.module == b.module, "{} and {}",
          a.module, b.module);
    if (a.rows > a.columns) continue;  // more rows than can be orthogonal to each other
    refactor(values.subspan(a.offset, a.size()), values.subspan(b.offset, b.size()),
             {.rank = a.rows, .in = a.columns, .out = b.rows});
  }
}

}  // namespace freshet
