#include "model/text/rows.h"

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool has(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && !found->is_null();
}

Result<Message> message_of(const Json& json, const std::string& where) {
  if (!json.is_object()) return fail(Code::kBadInput, where + ": a message is not an object");
  if (has(json, "tool_calls"))
    return fail(Code::kBadInput, where + ": \"tool_calls\" in a message are not implemented");
  Message message;
  TRY_ASSIGN(message.role, json_get<std::string>(json, "role", where));
  TRY_ASSIGN(message.content, json_get<std::string>(json, "content", where));
  if (message.role != "system" && message.role != "user" && message.role != "assistant")
    return fail(Code::kBadInput,
                where + ": the role of a message is none of system, user and assistant");
  return message;
}

Result<Document> conversation(const Json& row, const std::string& where,
                              const Result<ChatTemplate>& chat) {
  const Json& list = row["messages"];
  if (!list.is_array() || list.empty() || list.size() > limits::kRowMessagesMax)
    return fail(Code::kBadInput, where + ": \"messages\" is not a list of 1 to " +
                                     std::to_string(limits::kRowMessagesMax) + " messages");
  if (!chat) return fail_in(where, chat.error());
  std::vector<Message> messages;
  for (const Json& one : list) {
    TRY_ASSIGN(Message message, message_of(one, where));
    messages.push_back(std::move(message));
  }
  Result<Document> document = chat->render(messages);
  if (!document) return fail_in(where, std::move(document.error()));
  return document;
}

Result<Document> completed(const Json& row, const std::string& where) {
  TRY_ASSIGN(std::string prompt, json_get<std::string>(row, "prompt", where));
  TRY_ASSIGN(const std::string completion, json_get<std::string>(row, "completion", where));
  if (completion.empty())
    return fail(Code::kBadInput, where + ": \"completion\" is empty, so there is nothing to learn");
  Document document{{}, {}, true, true, true};
  if (!prompt.empty()) document.segments.push_back({prompt.size(), false, false});
  document.segments.push_back({completion.size(), true, false});
  document.text = std::move(prompt) + completion;
  return document;
}

Result<Document> document_of(std::string_view line, const std::string& where,
                             const Result<ChatTemplate>& chat) {
  TRY_ASSIGN(const Json row, parse_json(line, where));
  if (!row.is_object()) return fail(Code::kBadInput, where + ": not a JSON object");
  if (has(row, "messages")) return conversation(row, where, chat);
  if (has(row, "prompt") && has(row, "completion")) return completed(row, where);
  if (has(row, "text")) {
    TRY_ASSIGN(std::string text, json_get<std::string>(row, "text", where));
    return Document{std::move(text), {}, true, true, true};
  }
  return fail(Code::kBadInput, where +
                                   ": the row has neither \"messages\" nor \"prompt\" and "
                                   "\"completion\" nor \"text\"");
}

}  // namespace

Result<std::vector<Document>> split_rows(std::string_view text, std::string_view source,
                                         const Result<ChatTemplate>& chat) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Document> documents;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = std::string(source) + ", line " + std::to_string(number);
    if (line.size() > limits::kRowBytesMax)
      return fail(Code::kBadInput, where + ": longer than the " +
                                       std::to_string(limits::kRowBytesMax) +
                                       " bytes allowed for one row");
    TRY_ASSIGN(Document document, document_of(line, where, chat));
    if (!document.text.empty()) documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace freshet
