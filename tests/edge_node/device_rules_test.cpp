#include "edge_node/device_rules.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "edge_node/device_probe.h"
#include "protocol/policy_file.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

void put(const Path& path, std::string_view text) {
  ASSERT_TRUE(make_folders(path.parent_path()));
  ASSERT_TRUE(write_file_durably(path, as_bytes(text)));
}

// A device on which nothing holds back, and what the rules say where one thing changes.
struct Held {
  DeviceRules rules;
  Reading reading;
  bool training = false;
  HeldBack operator()() const { return held_back(rules, reading, training); }
};

TEST(DeviceRules, HoldNothingBackByDefaultWhereADeviceSaysNothing) {
  EXPECT_EQ(Held{}().hold, Hold::kNone);
}

TEST(DeviceRules, KeepToTheHoursAlsoOverMidnight) {
  Held held;
  held.rules.hours = {*day_hours_named("22:00-06:30"), *day_hours_named("12:00-13:00")};
  const std::pair<int, bool> cases[] = {{22 * 60, true},     {23 * 60 + 59, true}, {0, true},
                                        {6 * 60 + 29, true}, {6 * 60 + 30, false}, {12 * 60, true},
                                        {13 * 60, false},    {22 * 60 - 1, false}};
  for (const auto& [minute, allowed] : cases) {
    held.reading.minute_of_day = static_cast<std::uint32_t>(minute);
    EXPECT_EQ(held().hold, allowed ? Hold::kNone : Hold::kPause) << minute;
  }
  EXPECT_EQ(held().rule, "hours");
  EXPECT_EQ(held().why, "trains at 22:00-06:30, 12:00-13:00, and it is 21:59");
  held.rules.hours = {*day_hours_named("00:00-24:00")};
  EXPECT_EQ(held().hold, Hold::kNone);
}

TEST(DeviceRules, NameTheRuleThatHoldsBack) {
  struct Case {
    const char* rule;
    Hold hold;
    std::function<void(Held&)> arrange;
  };
  const Case cases[] = {
      {"mains_only", Hold::kPause,
       [](Held& h) { h.rules.mains_only = true, h.reading.on_mains = false; }},
      {"battery_min", Hold::kPause,
       [](Held& h) {
         h.rules.battery_min = 50, h.reading.on_mains = false, h.reading.battery = 49;
       }},
      {"load_max", Hold::kBegin, [](Held& h) { h.rules.load_max = 0.5, h.reading.load = 0.6; }},
      {"pressure_max", Hold::kEnd,
       [](Held& h) { h.rules.pressure_max = 10, h.reading.memory_pressure = 11; }},
      {"temperature_max", Hold::kPause, [](Held& h) { h.reading.temperature = 91; }},
      {"memory_free_mib", Hold::kBegin,
       [](Held& h) { h.rules.memory_free_mib = 500, h.reading.memory_free_mib = 499; }},
      {"disk_free_mib", Hold::kBegin, [](Held& h) { h.reading.disk_free_mib = 63; }},
      {"metered", Hold::kOffline,
       [](Held& h) { h.rules.metered = false, h.reading.link = "wwan0"; }},
      {"bytes_per_day_mib", Hold::kOffline,
       [](Held& h) { h.rules.bytes_per_day_mib = 1, h.reading.bytes_today = limits::kMiB; }},
  };
  for (const Case& each : cases) {
    Held held;
    each.arrange(held);
    EXPECT_EQ(held().rule, each.rule);
    EXPECT_EQ(held().hold, each.hold) << each.rule;
    EXPECT_FALSE(held().why.empty());
  }
}

TEST(DeviceRules, LetATrainingsOwnLoadAndMemoryBe) {
  Held held;
  held.rules.load_max = 0.5, held.reading.load = 4;
  held.rules.memory_free_mib = 500, held.reading.memory_free_mib = 100;
  EXPECT_EQ(held().hold, Hold::kBegin);
  held.training = true;
  EXPECT_EQ(held().hold, Hold::kNone);
}

TEST(DeviceRules, WaitUntilADeviceHasCooled) {
  Held held;
  held.reading.temperature = 88;
  EXPECT_EQ(held().hold, Hold::kPause);
  held.training = true;
  EXPECT_EQ(held().hold, Hold::kNone);
  held.training = false, held.reading.temperature = 85;
  EXPECT_EQ(held().hold, Hold::kNone);
}

TEST(DeviceRules, TheStrictestHolds) {
  Held held;
  held.rules.mains_only = true, held.reading.on_mains = false;
  held.rules.bytes_per_day_mib = 1, held.reading.bytes_today = 2 * limits::kMiB;
  EXPECT_EQ(held().hold, Hold::kOffline);
}

TEST(DeviceRules, NamesMatchByStars) {
  EXPECT_TRUE(matches_name("wwan*", "wwan0"));
  EXPECT_TRUE(matches_name("*", ""));
  EXPECT_TRUE(matches_name("a*c*", "abcd"));
  EXPECT_FALSE(matches_name("wwan*", "wlan0"));
  EXPECT_FALSE(matches_name("eth0", "eth01"));
  EXPECT_FALSE(matches_name("eth0", "eth"));
}

TEST(DeviceProbe, ReadsWhatADeviceSaysOfItself) {
  const TempFolder root;
  const Path sys = root / "sys/class", proc = root / "proc";
  put(sys / "power_supply/AC/type", "Mains\n");
  put(sys / "power_supply/AC/online", "0\n");
  put(sys / "power_supply/BAT0/type", "Battery\n");
  put(sys / "power_supply/BAT0/capacity", "57\n");
  put(sys / "power_supply/BAT0/status", "Discharging\n");
  put(sys / "power_supply/mouse/type", "Battery\n");
  put(sys / "power_supply/mouse/scope", "Device\n");
  put(sys / "power_supply/mouse/capacity", "3\n");
  put(sys / "thermal/thermal_zone0/temp", "41000\n");
  put(sys / "thermal/thermal_zone1/temp", "63500\n");
  put(sys / "thermal/cooling_device0/temp", "99000\n");
  put(proc / "meminfo", "MemTotal:  4000000 kB\nMemFree:  10 kB\nMemAvailable:    2048000 kB\n");
  put(proc / "pressure/memory",
      "some avg10=0.00 avg60=12.50 avg300=0.10 total=5\nfull avg10=0.00 avg60=7.00 avg300=0 "
      "total=1\n");
  put(proc / "loadavg", "1.50 0.90 0.70 1/200 4000\n");
  put(proc / "net/route",
      "Iface\tDestination\tGateway\neth0\t0000A8C0\t00000000\nwwan0\t00000000\t0100A8C0\n");
  const Reading reading = DeviceProbe(root.path(), root.path()).read();
  EXPECT_EQ(reading.on_mains, false);
  EXPECT_EQ(reading.battery, 57u);
  EXPECT_EQ(reading.temperature, 63.5);
  EXPECT_EQ(reading.memory_free_mib, 2000u);
  EXPECT_EQ(reading.memory_pressure, 12.5);
  ASSERT_TRUE(reading.load);
  EXPECT_GT(*reading.load, 0);
  EXPECT_LE(*reading.load, 1.5);
  EXPECT_EQ(reading.link, "wwan0");
  EXPECT_TRUE(reading.disk_free_mib);
  EXPECT_LT(reading.minute_of_day, 24u * 60);
}

TEST(DeviceProbe, LeavesEmptyWhatIsNotThere) {
  const TempFolder root;
  put(root / "sys/class/thermal/thermal_zone0/temp", "none\n");
  put(root / "proc/loadavg", "");
  const Reading reading = DeviceProbe(root.path(), root.path()).read();
  EXPECT_FALSE(reading.on_mains || reading.battery || reading.temperature || reading.load ||
               reading.memory_free_mib || reading.memory_pressure || reading.link);
}

TEST(DevicePolicy, IsReadFromTheOwnersFileAndPrintedAgain) {
  const auto policy = parse_policy_file(
      "[campaigns]\nnames = [\"notes-*\"]\n"
      "[training]\nhours = [\"22:00-06:30\"]\nmains_only = true\nbattery_min = 30\nload_max = 0.5\n"
      "pressure_max = 20\ntemperature_max = 70\nmemory_free_mib = 512\ndisk_free_mib = 100\n"
      "bytes_per_day_mib = 50\nmetered = false\nmetered_links = [\"usb*\"]\n"
      "[data]\npersonal = \"drop\"\nretention_days = 90\n",
      "p.toml");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_EQ(to_text(policy->training.hours.at(0)), "22:00-06:30");
  EXPECT_TRUE(policy->training.mains_only);
  EXPECT_EQ(policy->training.metered_links, std::vector<std::string>{"usb*"});
  EXPECT_EQ(policy->data.personal, PersonalData::kDrop);
  EXPECT_EQ(policy->data.retention_days, 90u);
  const auto again = parse_policy_file(to_toml(*policy), "again.toml");
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(*again == *policy);
}

TEST(DevicePolicy, RefusesWhatMeansNothing) {
  for (const char* text :
       {"[training]\nhours = [\"22-6\"]", "[training]\nhours = [\"25:00-26:00\"]",
        "[training]\nbattery_min = 101", "[training]\nmetered_links = [\"\"]",
        "[training]\nmetered_links = [\"******\"]", "[data]\npersonal = \"hide\"",
        "[campaigns]\nnames = [\"\"]", "[training]\nmainsonly = true"}) {
    const auto policy = parse_policy_file(text, "p.toml");
    ASSERT_FALSE(policy) << text;
    EXPECT_NE(policy.error().what.find("p.toml"), std::string::npos) << policy.error().what;
  }
}

}  // namespace
}  // namespace freshet
