#include "tests/tree/rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace freshet::tree {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_source(const fs::path& path) {
  return path.extension() == ".h" || path.extension() == ".cpp";
}

struct Planted {
  const char* path;
  const char* text;
  size_t line;  // of the one finding; 0: none
};

class Rules : public testing::TestWithParam<Planted> {};

TEST_P(Rules, FindWhatIsPlantedAndNothingElse) {
  const Planted& planted = GetParam();
  const std::vector<Finding> findings = check_file(planted.path, planted.text);
  if (planted.line == 0) {
    EXPECT_TRUE(findings.empty()) << to_string(findings.front());
    return;
  }
  ASSERT_EQ(findings.size(), 1u) << planted.path << ": " << planted.text;
  EXPECT_EQ(findings[0].line, planted.line) << to_string(findings[0]);
  EXPECT_EQ(findings[0].path, planted.path);
}

INSTANTIATE_TEST_SUITE_P(
    Floors, Rules,
    testing::Values(Planted{"crypto/seal.cpp", "#include \"base/result.h\"\n", 0},
                    Planted{"base/result.cpp", "\n#include \"crypto/seal.h\"\n", 2},
                    Planted{"crypto/seal.h", "#include \"model/layout.h\"", 1},
                    Planted{"storage/journal.cpp", "#include \"transport/transport.h\"\n", 1},
                    Planted{"protocol/codec.cpp", "#include \"model/layout.h\"\n", 1},
                    Planted{"protocol/codec.cpp", "#include \"aggregation/clip.h\"\n", 0},
                    Planted{"trainer/lora.cpp", "#include \"model/layout.h\"\n", 0},
                    Planted{"trainer/lora.cpp", "#include \"transport/transport.h\"\n", 1},
                    Planted{"coordinator/round.h", "#include \"edge_node/session.h\"\n", 1},
                    Planted{"coordinator/round.h", "#include \"cli/verbs.h\"\n", 1},
                    Planted{"simulations/world.cpp", "#include \"edge_node/session.h\"\n", 0},
                    Planted{"simulations/world.cpp", "#include \"cli/verbs.h\"\n", 1},
                    Planted{"cli/simulate.cpp", "#include \"simulations/world.h\"\n", 0},
                    Planted{"cli/verbs.cpp", "#include \"tests/temp_folder.h\"\n", 1},
                    Planted{"tests/base/json_test.cpp", "#include \"coordinator/round.h\"\n", 0},
                    Planted{"base/json.cpp", "  #  include  \"cli/verbs.h\"\n", 1},
                    Planted{"base/json.cpp", "#include \"../cli/verbs.h\"\n", 1},
                    Planted{"base/json.cpp", "#include \"json.h\"\n", 1}));

INSTANTIATE_TEST_SUITE_P(
    Seams, Rules,
    testing::Values(
        Planted{"edge_node/driver.cpp", "  auto keys = RoundKeys::make_with(seams);\n", 1},
        Planted{"cli/demo/main.cpp", "RememberSignatures remembered;\n", 1},
        Planted{"coordinator/driver.cpp", "#include \"crypto/remembered_signatures.h\"\n", 1},
        Planted{"edge_node/driver.cpp", "  auto keys = RoundKeys::make();\n", 0},
        Planted{"simulations/world.cpp", "RememberSignatures remembered;\n", 0},
        Planted{"tests/crypto/keys_test.cpp", "RoundKeys::make_with({})\n", 0}));

INSTANTIATE_TEST_SUITE_P(
    Packages, Rules,
    testing::Values(Planted{"trainer/lora.cpp", "#include <ATen/ATen.h>\n", 0},
                    Planted{"tests/trainer/lora_test.cpp", "#include <torch/torch.h>\n", 0},
                    Planted{"tests/model/layout_test.cpp", "#include <torch/torch.h>\n", 1},
                    Planted{"tests/integration/fleet_test.cpp", "#include <c10/util/Half.h>\n", 1},
                    Planted{"model/layout.h", "#include <torch/torch.h>\n", 1},
                    Planted{"model/layout.h", "#include \"torch/torch.h\"\n", 1},
                    Planted{"transport/sockets.cpp", "#include <zmq.hpp>\n", 0},
                    Planted{"coordinator/driver.cpp", "#include <zmq.h>\n", 1},
                    Planted{"tests/transport/admission_test.cpp", "#include <zmq.hpp>\n", 0},
                    Planted{"coordinator/driver.cpp", "#include <rocksdb/db.h>\n", 1},
                    Planted{"edge_node/session.cpp", "#include <sodium.h>\n", 1},
                    Planted{"crypto/seal.cpp", "#include <sodium.h>\n", 0},
                    Planted{"coordinator/driver.cpp", "#include <kj/array.h>\n", 1},
                    Planted{"protocol/codec.cpp", "#include <capnp/message.h>\n", 0},
                    Planted{"cli/submit.cpp", "#include <toml++/toml.h>\n", 1},
                    Planted{"base/flags.cpp", "#include <CLI/CLI.hpp>\n", 0},
                    Planted{"coordinator/main.cpp", "#include <CLI/CLI.hpp>\n", 1},
                    Planted{"base/log.cpp", "#include <spdlog/spdlog.h>\n", 0},
                    Planted{"cli/verbs.cpp", "#include <nlohmann/json.hpp>\n", 1},
                    Planted{"cli/verbs.cpp", "#include <fmt/core.h>\n", 0},
                    Planted{"cli/verbs.cpp",
                            "#include <vector>\n#include <sys/wait.h>\n#include <poll.h>\n", 0},
                    Planted{"cli/verbs.cpp", "#include <vector>\n#include <boost/optional.hpp>\n",
                            2},
                    Planted{"base/json.cpp", "#include <gtest/gtest.h>\n", 1},
                    Planted{"tests/base/json_test.cpp", "#include <gtest/gtest.h>\n", 0}));

INSTANTIATE_TEST_SUITE_P(Words, Rules,
                         testing::Values(Planted{"base/a.cpp",
                                                 "int a;\n\n// TO"
                                                 "DO later\n",
                                                 3},
                                         Planted{"base/a.cpp",
                                                 "// FIX"
                                                 "ME\n",
                                                 1},
                                         Planted{"base/a.cpp",
                                                 "// X"
                                                 "XX is this so?\n",
                                                 1},
                                         Planted{"base/a.cpp",
                                                 "char name[] = \"freshet-XXXXXX\";\n", 0},
                                         Planted{"base/a.cpp", "// what to do next\n", 0}));

TEST(Length, OfHeadersAndSourcesIsBounded) {
  const auto lines = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += "\n";
    return text;
  };
  EXPECT_TRUE(check_file("base/a.h", lines(kHeaderLinesMax)).empty());
  EXPECT_TRUE(check_file("base/a.cpp", lines(kSourceLinesMax)).empty());
  EXPECT_EQ(check_file("base/a.h", lines(kHeaderLinesMax + 1)).size(), 1u);
  EXPECT_EQ(check_file("base/a.cpp", lines(kSourceLinesMax + 1)).size(), 1u);
  EXPECT_EQ(check_file("base/a.h", lines(kHeaderLinesMax) + "int last_without_newline;").size(),
            1u);
}

// The tree itself: the test runs in the repository root.
TEST(Tree, KeepsItsRules) {
  size_t files = 0;
  for (const std::string& folder : folders()) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      ++files;
      for (const Finding& finding : check_file(entry.path().generic_string(), read(entry.path()))) {
        ADD_FAILURE() << to_string(finding);
      }
    }
  }
  EXPECT_GT(files, 100u) << "this is not the repository root";
}

// Every folder of C++ at the top has a floor, so that a new one cannot stand beside the rules.
TEST(Tree, HasNoFolderWithoutAFloor) {
  for (const auto& top : fs::directory_iterator(".")) {
    const std::string name = top.path().filename().string();
    const bool known = std::find(folders().begin(), folders().end(), name) != folders().end();
    if (!top.is_directory() || known || name == "build" || name.starts_with(".")) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top.path())) {
      EXPECT_FALSE(entry.is_regular_file() && is_source(entry.path()))
          << entry.path().generic_string() << ": " << name
          << "/ has no floor in tests/tree/rules.cpp";
    }
  }
}

}  // namespace
}  // namespace freshet::tree
