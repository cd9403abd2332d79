// freshet-trainer and freshet-torch: everything that computes with a model. They differ in what they are linked with: only
// freshet-torch has LibTorch, for training all weights and for other devices than the processor.

#include "cli/model/verbs.h"

int main(int argc, char** argv) { return freshet::run_trainer(argc, argv); }
