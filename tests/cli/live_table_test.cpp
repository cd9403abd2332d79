#include "cli/demo/live_table.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace freshet::demo {
namespace {

// What a table writes, as bytes.
template <class Use>
std::string written(std::size_t width, Use use) {
  std::FILE* file = std::tmpfile();
  CHECK(file != nullptr);
  {
    LiveTable table(file, width);
    use(table);
  }
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  CHECK(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  return text;
}

LiveRow some_row(std::uint64_t version) {
  return {version, 12, 8, 8, 2.5, 3.0, 1'800'000, 1'700'000, 42, 70.0};
}

TEST(LiveTable, WithoutATerminalThereAreOnlyPlainLines) {
  std::string text = written(0, [](LiveTable& table) {
    table.status("training");
    table.row(some_row(1));
    table.status("training more");
    table.row(some_row(2));
    table.note("done");
  });
  EXPECT_EQ(text, live_header() + "\n" + live_line(some_row(1)) + "\n" + live_line(some_row(2)) +
                      "\ndone\n");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(LiveTable, OnATerminalTheStatusStaysBelowTheRows) {
  std::string text = written(40, [](LiveTable& table) {
    table.status("training");
    table.status("training");  // unchanged: nothing is written
    table.note("row");
  });
  EXPECT_EQ(text, "\rtraining\x1b[K\r\x1b[Krow\ntraining\r\x1b[K");
}

TEST(LiveTable, AStatusNeverWrapsOntoTheNextLine) {
  std::string text = written(10, [](LiveTable& table) { table.status("much longer than ten"); });
  EXPECT_NE(text.find("\rmuch long\x1b[K"), std::string::npos);
}

TEST(LiveTable, RowsHaveTheColumnsOfTheHeader) {
  EXPECT_EQ(live_line(some_row(3)).size(), live_header().size());
  EXPECT_NE(live_line(some_row(3)).find("-16.7 %"), std::string::npos);
  LiveRow empty;
  EXPECT_EQ(live_line(empty).size(), live_header().size());
}

}  // namespace
}  // namespace freshet::demo
