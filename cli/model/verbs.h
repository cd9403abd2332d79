#pragma once
// The verbs of the trainer: `serve` is the trainer process of a daemon; the others are what
// `freshet model` and `freshet simulate learning` run. Each adds its subcommand and flags; what
// runs it is a function that returns the exit code.

#include <functional>

namespace CLI {
class App;
}

namespace freshet {

using Verb = std::function<int()>;  // set by the subcommand that the person typed

void add_eval(CLI::App& model, Verb& chosen);
void add_finetune(CLI::App& model, Verb& chosen);
void add_generate(CLI::App& model, Verb& chosen);
void add_info(CLI::App& model, Verb& chosen);
void add_merge(CLI::App& model, Verb& chosen);
void add_convert(CLI::App& model, Verb& chosen);
void add_tokenizer(CLI::App& model, Verb& chosen);
void add_pretrain(CLI::App& model, Verb& chosen);

// `freshet simulate learning`.
void add_simulate_learning(CLI::App& app, Verb& chosen);

// Runs it; a machine without the memory for it gives ExitCode::kNoSpace and says so.
int run_chosen(const Verb& chosen);

// The whole program; returns its exit code.
int run_trainer(int argc, char** argv);

}  // namespace freshet
