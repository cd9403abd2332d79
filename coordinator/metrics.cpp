#include "coordinator/metrics.h"

#include <algorithm>

#include "transport/metrics_page.h"

namespace freshet {
namespace {

struct CampaignGauge {
  const char* key;  // of what `campaign ls` shows
  const char* name;
  const char* says;
};
constexpr CampaignGauge kCampaignGauges[] = {
    {"version", "freshet_campaign_version", "Adapters published, the first one aside."},
    {"rounds", "freshet_campaign_versions_planned", "Adapters that the campaign is to publish."},
    {"round", "freshet_campaign_round", "The last round that was opened."},
    {"nodes_alive", "freshet_campaign_nodes_alive", "Nodes that were heard of lately."},
    {"nodes_ready", "freshet_campaign_nodes_ready", "Nodes with an update that waits for a round."},
    {"cohort", "freshet_campaign_cohort", "Members of the open round; 0 where none is open."},
    {"survivors", "freshet_campaign_survivors", "Of those, whose vectors arrived."},
    {"heldout_bpb", "freshet_campaign_heldout_bits_per_byte",
     "Bits per byte of the nodes' held-out text, by the last masked totals."},
};

constexpr std::size_t kShownMax = 32;  // the newest campaigns

void add_campaigns(MetricsText& page, const Json& campaigns) {
  const std::size_t from = campaigns.size() > kShownMax ? campaigns.size() - kShownMax : 0;
  for (std::size_t i = from; i < campaigns.size(); ++i) {
    const Json& each = campaigns[i];
    page.gauge("freshet_campaign_info", "1 for the phase that a campaign is in.", 1,
               {{"campaign", each.value("campaign", "")},
                {"name", each.value("name", "")},
                {"phase", each.value("phase", "")}});
  }
  for (const CampaignGauge& gauge : kCampaignGauges)
    for (std::size_t i = from; i < campaigns.size(); ++i) {
      const Json& each = campaigns[i];
      if (!each.contains(gauge.key) || !each[gauge.key].is_number()) continue;
      page.gauge(gauge.name, gauge.says, each[gauge.key].get<double>(),
                 {{"campaign", each.value("campaign", "")}});
    }
}

}  // namespace

std::string metrics_text(const CoordinatorFigures& figures) {
  MetricsText page;
  page.gauge("freshet_coordinator_uptime_seconds", "Since this process began.", figures.uptime_s);
  page.gauge("freshet_nodes_allowed", "Nodes that may connect.",
             static_cast<double>(figures.nodes_allowed));
  page.counter("freshet_received_bytes_total", "Of messages of nodes.",
               static_cast<double>(figures.bytes_up));
  page.counter("freshet_sent_bytes_total", "Of messages to nodes.",
               static_cast<double>(figures.bytes_down));
  add_campaigns(page, figures.campaigns);
  add_process(page);
  return page.text();
}

}  // namespace freshet
