#include "model/text/chat_template.h"

#include <array>

#include "base/limits.h"
#include "model/text/jinja/render.h"

namespace freshet {
namespace {

constexpr char kAnswerMark = 'a', kPeopleMark = 'p';

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Family {
  ChatFamily family;
  std::string end;  // empty: the model's EOS
};

std::optional<Family> family_of(std::string_view text) {
  if (has(text, "<|im_start|>") && has(text, "<|im_end|>"))
    return Family{ChatFamily::kChatMl, "<|im_end|>"};
  if (has(text, "<|start_header_id|>") && has(text, "<|eot_id|>"))
    return Family{ChatFamily::kLlama3, "<|eot_id|>"};
  if (!has(text, "eos_token")) return std::nullopt;
  if (has(text, "[INST]") && has(text, "[/INST]")) return Family{ChatFamily::kLlama2, ""};
  if (has(text, "<|user|>") && has(text, "<|assistant|>") && !has(text, "<|end|>"))
    return Family{ChatFamily::kZephyr, ""};
  return std::nullopt;
}

// The first words of a template, to tell people which one it is.
std::string start_of(std::string_view text) {
  std::string start;
  for (const char c : text.substr(0, 60)) start += c < ' ' || c == 0x7F ? ' ' : c;
  return start;
}

// The text in segments of one mark; the mark that ends an answer belongs to the answer.
Document document_of(const jinja::MarkedText& printed, std::string_view end_of_turn) {
  Document document{printed.chars, {}, true, false, false};
  const auto put = [&](std::size_t bytes, bool counts, bool markup) {
    if (bytes > 0) document.segments.push_back({bytes, counts, markup});
  };
  bool after_answer = false;
  for (std::size_t at = 0; at < printed.chars.size();) {
    const char mark = printed.marks[at];
    const std::size_t end =
        std::min(printed.marks.find_first_not_of(mark, at), printed.marks.size());
    const std::string_view text = std::string_view(printed.chars).substr(at, end - at);
    std::size_t counted = 0;
    if (mark == jinja::kTemplateMark && after_answer) {
      const std::size_t spaces = std::min(text.find_first_not_of(" \n"), text.size());
      if (text.substr(spaces).starts_with(end_of_turn)) counted = spaces + end_of_turn.size();
    }
    put(counted, true, true);
    put(text.size() - counted, mark == kAnswerMark, mark == jinja::kTemplateMark);
    after_answer = mark == kAnswerMark;
    at = end;
  }
  return document;
}

}  // namespace

std::string_view name_of(ChatFamily family) {
  constexpr std::array<std::string_view, 4> kNames = {"ChatML", "Llama-2", "Llama-3", "Zephyr"};
  return kNames[static_cast<std::size_t>(family)];
}

struct ChatTemplate::State {
  ChatTemplateText text;
  Family family;
  std::vector<jinja::Statement> program;

  Result<jinja::MarkedText> print(std::span<const Message> messages, bool prompt) const;
};

Result<jinja::MarkedText> ChatTemplate::State::print(std::span<const Message> messages,
                                                     bool prompt) const {
  jinja::List list;
  for (const Message& message : messages) {
    const char mark = message.role == "assistant" ? kAnswerMark : kPeopleMark;
    list.push_back(jinja::Value(
        jinja::Dict{{"role", jinja::Value(jinja::MarkedText(message.role, kPeopleMark))},
                    {"content", jinja::Value(jinja::MarkedText(message.content, mark))}}));
  }
  Result<jinja::MarkedText> printed =
      jinja::render(program, {{"messages", jinja::Value(std::move(list))},
                              {"add_generation_prompt", jinja::Value(prompt)},
                              {"tools", jinja::Value(jinja::None{})},
                              {"documents", jinja::Value(jinja::None{})},
                              {"bos_token", jinja::Value::text(text.bos)},
                              {"eos_token", jinja::Value::text(text.eos)}});
  if (!printed) return fail_in("the chat template", std::move(printed.error()));
  return printed;
}

Result<ChatTemplate> ChatTemplate::parse(ChatTemplateText text, std::string_view source) {
  if (text.text.size() > limits::kTemplateBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": the chat template is larger than " +
                                     std::to_string(limits::kTemplateBytesMax) + " bytes");
  std::optional<Family> family = family_of(text.text);
  if (!family)
    return fail(Code::kBadInput,
                std::string(source) + ": the chat template of this model (\"" +
                    start_of(text.text) +
                    "...\") is not one Freshet knows: ChatML, Llama-2, Llama-3, Zephyr; give rows "
                    "of \"text\" or of \"prompt\" and \"completion\"");
  if (family->end.empty()) family->end = text.eos;
  if (family->end.empty())
    return fail(Code::kBadInput, std::string(source) +
                                     ": the chat template ends a turn with the model's EOS, "
                                     "and the model has none");
  Result<std::vector<jinja::Statement>> program = jinja::parse(text.text);
  if (!program)
    return fail_in(std::string(source) + ": the chat template", std::move(program.error()));
  ChatTemplate made(
      std::make_unique<State>(State{std::move(text), std::move(*family), std::move(*program)}));
  const std::array<Message, 2> probe = {Message{"user", "a"}, Message{"assistant", "b"}};
  if (Result<Document> printed = made.render(probe); !printed)
    return fail_in(source, std::move(printed.error()));
  return made;
}

Result<Document> ChatTemplate::render(std::span<const Message> messages) const {
  TRY_ASSIGN(const jinja::MarkedText printed, state_->print(messages, false));
  if (!has(printed.marks, std::string_view(&kAnswerMark, 1)))
    return fail(Code::kBadInput, "no assistant's message has text, so there is nothing to learn");
  return document_of(printed, state_->family.end);
}

Result<Document> ChatTemplate::render_prompt(std::span<const Message> messages) const {
  TRY_ASSIGN(const jinja::MarkedText printed, state_->print(messages, true));
  Document document = document_of(printed, state_->family.end);
  for (Segment& segment : document.segments) segment.counts = false;
  return document;
}

ChatFamily ChatTemplate::family() const { return state_->family.family; }
std::string_view ChatTemplate::end_of_turn() const { return state_->family.end; }

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> chat_of_model(const std::optional<std::string>& text,
                                   const Tokenizer& tokenizer, std::string_view source) {
  if (!text)
    return fail(Code::kBadInput, std::string(source) +
                                     ": the model has no chat template, which \"messages\" need; "
                                     "give rows of \"text\" or of \"prompt\" and \"completion\"");
  return ChatTemplate::parse({*text, std::string(tokenizer.text_of(tokenizer.bos_id())),
                              std::string(tokenizer.text_of(tokenizer.eos_id()))},
                             source);
}

}  // namespace freshet
