#pragma once
// A model's own chat template, run as transformers' apply_chat_template runs it, and what of its
// text a model learns: the assistant's messages, each with the mark that ends its turn. Templates
// are told by that mark: ChatML (SmolLM2, Qwen), Llama-2 (and Mistral), Llama-3 and Zephyr
// (TinyLlama); others are refused by name.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/text/document.h"

namespace freshet {

struct Message {
  std::string role, content;  // role: system, user, assistant, tool
};

enum class ChatFamily : std::uint8_t { kChatMl, kLlama2, kLlama3, kZephyr };
std::string_view name_of(ChatFamily family);  // "ChatML"

// What a template is made of, from the files of a model.
struct ChatTemplateText {
  std::string text;      // Jinja
  std::string bos, eos;  // the tokens that it calls bos_token and eos_token
};

class ChatTemplate {
 public:
  // kBadInput, naming `source`, for a template of another family or one that cannot print a
  // question and its answer.
  static Result<ChatTemplate> parse(ChatTemplateText text, std::string_view source);

  // The conversation as the model sees it, without the start of another answer. What the template
  // says of the date comes from the template, not from the clock. kBadInput where the template
  // refuses these messages (roles that do not alternate) or they hold no answer.
  Result<Document> render(std::span<const Message> messages) const;

  // The same up to the place where the assistant's next words follow: a prompt. Nothing of it
  // counts.
  Result<Document> render_prompt(std::span<const Message> messages) const;

  ChatFamily family() const;
  std::string_view end_of_turn() const;  // "<|im_end|>": text generation stops there

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Of a model whose files hold `text` or no template (ModelParts::chat_template); bos_token and
// eos_token are the tokenizer's. An error is no fault of the model's until somebody brings
// "messages".
Result<ChatTemplate> chat_of_model(const std::optional<std::string>& text,
                                   const Tokenizer& tokenizer, std::string_view source);

}  // namespace freshet
