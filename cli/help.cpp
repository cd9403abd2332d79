#include "cli/help.h"

namespace freshet {

std::string_view main_help() {
  return R"(Fine-tunes small language models where the private text lives; a large model in the
cloud learns from them and never sees that text.

Usage:
  freshet VERB [OPTIONS]

See it work:
  demo                 A coordinator and eight nodes on this machine, with a report

Say who belongs to a fleet:
  authority init       Make the root key, to be kept offline, and the first issuer
  authority serve      Give certificates and revocation lists to machines that ask
  authority invite     Print a join token: one line, for one machine, once
  authority approve    Let a machine in that waits for it
  authority list       Who has a certificate, who is invited, who waits
  authority revoke     Shut a machine out, whatever it holds
  authority rotate     Put the next issuer into office

Run a fleet:
  coordinator join     Join a fleet with a token of its authority
  node join            The same on a node: keys, certificate and coordinator in one command
  coordinator init     Make the coordinator's keys and print its identity
  coordinator allow    Let a node in by its identity
  coordinator run      Serve nodes and run campaigns
  node init            Make a node's keys and print its identity
  node run             Train on the text of one folder when the coordinator has a campaign
  campaign plan        What a campaign would send and fetch, before it is submitted
  campaign submit      Queue the campaign that a TOML file describes; --dry-run shows its cost
  campaign diff        Show what differs between two campaign files
  campaign ls          List the campaigns of a coordinator
  campaign show        Show one campaign
  campaign watch       Follow a campaign to its end
  campaign stop        End a campaign; what it published stays
  fleet ls             The nodes of a coordinator: who is here, ready, in the open round
  fleet show           One node
  fleet cohort         The nodes of the open round, and who answered
  campaign rollback    Go on from the adapter of an earlier version
  audit show           Who decided what and when, as the coordinator wrote it down
  audit verify         Whether anything was changed, left out or put in since
  node text            The text files that a node has seen, and how often each was trained on
  node forget          Never train on a file or folder again
  backup               Copy the folder of a coordinator or an authority, every file with its digest
  restore              Put such a copy back, once it is verified

See what privacy costs:
  privacy ledger       What was spent of a privacy budget, charge by charge
  privacy epsilon      What noise costs, or how much of it a budget asks for
  privacy payload      What left a node in its last masked round, word by word

Work with models:
  model info           What a model is, its files checked against each other
  model finetune       Train a LoRA adapter on a text, in the memory that is there
  model eval           Bits per byte of a text
  model generate       Continue a prompt or answer in a chat
  model merge          Fold an adapter into the weights of its model
  model convert        Write a model or an adapter as Hugging Face's, PEFT's or GGUF's
  model question       What a campaign of masked logits asks: make it, or read it
  model tokenizer      Text to ids and back, or a tokenizer of your own
  model pretrain       Train a base model from nothing
  simulate learning    A campaign's learning over many nodes in one process
  simulate protocol    The protocol over a simulated network, with faults, from a seed
  evaluate adapt       Every way in which a cloud model learns of nodes, measured

Get help:
  doctor               Whether a machine, a folder and the way to a peer are good, and what to do
  completion           Words and flags for the Tab key of bash or zsh
  manual               Write man pages

Options:
  -h, --help           Show this text; after a verb, show the verb's own
      --version        Show the version

Examples:
  freshet demo --quick
  freshet coordinator run --dir hub --listen tcp://0.0.0.0:7400
  freshet campaign watch --dir hub --json
  freshet model finetune models/edge-slm --data notes.txt --out notes-adapter
  freshet model eval models/edge-slm --text notes.txt --json
  freshet help campaign submit

Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 refused, 5 unavailable, 6 expired, 7 no space,
8 corrupt, 130 interrupted. docs/exit-codes.md says what to do about each.
)";
}

std::string_view simulate_help() {
  return R"(Usage:
  freshet simulate WHAT [OPTIONS]

  learning    A campaign's learning over many nodes in one process
  protocol    The protocol over a simulated network, with faults, from a seed

Examples:
  freshet simulate learning --model models/edge-slm --data texts --method rolora --rounds 20 --json
  freshet simulate protocol --seed 1 --seeds 1000 --nodes 100

freshet simulate WHAT --help shows all options.
)";
}

std::string_view evaluate_help() {
  return R"(Usage:
  freshet evaluate WHAT [OPTIONS]

  adapt       Every way in which a cloud model learns of nodes, beside its controls

Examples:
  freshet evaluate adapt --slm models/edge-slm --llm models/cloud-llm --general corpus/valid --json

freshet evaluate WHAT --help shows all options.
)";
}

std::string_view privacy_help() {
  return R"(Usage:
  freshet privacy WHAT [OPTIONS]

  ledger      What a campaign or a node has spent of its privacy budget, charge by charge
  epsilon     What noise costs, or how much a budget asks for
  payload     What left a node in its last masked round, and how far from random it looks

Examples:
  freshet privacy ledger node/privacy.ledger --json
  freshet privacy epsilon --multiplier 1.2 --rate 0.01 --rounds 500 --delta 1e-6
  freshet privacy epsilon --epsilon 8 --rounds 20
  freshet privacy payload --dir node

freshet privacy WHAT --help shows all options.
)";
}

std::string_view version_line() { return "freshet " FRESHET_VERSION "\n"; }

}  // namespace freshet
