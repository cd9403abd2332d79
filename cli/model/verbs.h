#pragma once
// The verbs of the trainer: `serve` is the trainer process of a daemon; the others are what
// `freshet model` and `freshet simulate learning` run. Each adds its subcommand and flags; what
// runs it is a function that returns the exit code.

#include <functional>

#include "base/flags.h"

namespace freshet {

using Verb = std::function<int()>;  // set by the subcommand that the person typed

void add_eval(Command& model, Verb& chosen);
void add_finetune(Command& model, Verb& chosen);
void add_generate(Command& model, Verb& chosen);
void add_info(Command& model, Verb& chosen);
void add_merge(Command& model, Verb& chosen);
void add_convert(Command& model, Verb& chosen);
void add_question(Command& model, Verb& chosen);
void add_tokenizer(Command& model, Verb& chosen);
void add_pretrain(Command& model, Verb& chosen);

// `freshet simulate learning`.
void add_simulate_learning(Command& app, Verb& chosen);

// `freshet evaluate adapt`.
void add_evaluate_adapt(Command& app, Verb& chosen);

// Runs it; a machine without the memory for it gives ExitCode::kNoSpace and says so.
int run_chosen(const Verb& chosen);

// The whole program; returns its exit code.
int run_trainer(int argc, char** argv);

}  // namespace freshet
