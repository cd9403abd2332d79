// Each check is seen good, and seen bad where the machine lets a test make it so.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/check.h"
#include "cli/doctor/finding.h"
#include "tests/temp_folder.h"

namespace freshet::doctor {
namespace {

Finding named(const Findings& findings, const std::string& check) {
  for (const Finding& each : findings)
    if (each.check == check) return each;
  return {check, "not looked at", State::kBad, ""};
}

// A listener that accepts nothing by itself; `address` is where it is.
struct Listener {
  Listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&place), sizeof place) == 0);
    CHECK(::listen(fd.get(), 4) == 0);
    socklen_t size = sizeof place;
    CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&place), &size) == 0);
    address = "tcp://127.0.0.1:" + std::to_string(ntohs(place.sin_port));
  }
  UniqueFd fd;
  std::string address;
};

TEST(Doctor, EveryFindingThatIsNotGoodSaysWhatToDo) {
  const TempFolder place;
  Findings all = look_at_machine();
  for (const Finding& each : look_at_folder(place.path())) all.push_back(each);
  EXPECT_GE(all.size(), 10u);
  for (const Finding& each : all)
    EXPECT_EQ(each.remedy.empty(), each.state == State::kGood) << to_line(each);
  EXPECT_EQ(named(all, "entropy").state, State::kGood);
  EXPECT_NE(named(all, "products").says.find("Gflop/s"), std::string::npos);
}

TEST(Doctor, FoldersAndKeysOpenToOthersAreBad) {
  const TempFolder place;
  const Path folder = place.path() / "node", key = folder / "identity.key";
  EXPECT_EQ(named(look_at_folder(folder), "folder").state, State::kBad) << "not there";
  CHECK(make_folders(folder, 0700));
  EXPECT_EQ(named(look_at_folder(folder), "folder").state, State::kGood);
  EXPECT_EQ(named(look_at_folder(folder), "disk").check, "disk");
  EXPECT_EQ(named(look_at_folder(folder), "keys").state, State::kPoor) << "none";
  CHECK(write_file_durably(key, as_bytes("sealed"), 0600));
  EXPECT_EQ(named(look_at_folder(folder), "keys").state, State::kGood);
  ::chmod(key.c_str(), 0640);
  EXPECT_EQ(named(look_at_folder(folder), "keys").state, State::kBad);
  ::chmod(folder.c_str(), 0750);
  const Findings open = look_at_folder(folder);
  EXPECT_EQ(named(open, "folder").state, State::kBad);
  EXPECT_TRUE(any_bad(open));
  EXPECT_EQ(to_json(open)["good"], false);
  EXPECT_FALSE(std::filesystem::exists(folder / ".doctor.tmp"));
}

TEST(Doctor, PortsInUseAndPeersThatAreNotThereAreBad) {
  std::string gone;
  {
    const Listener other;
    gone = other.address;
    EXPECT_EQ(look_at_port(other.address).state, State::kBad);
    EXPECT_NE(look_at_port(other.address).remedy.find("another program"), std::string::npos);
    EXPECT_NE(look_at_peer(other.address).says.find("not as Freshet"), std::string::npos);
  }
  EXPECT_EQ(look_at_port(gone).state, State::kGood);
  EXPECT_EQ(look_at_peer(gone).state, State::kBad);
  EXPECT_EQ(look_at_peer("localhost").state, State::kBad);
  EXPECT_EQ(look_at_port("tcp://127.0.0.1:port").state, State::kBad);
}

}  // namespace
}  // namespace freshet::doctor
