#include "model/text/corpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

void put_text(const Path& path, std::string_view text) {
  ASSERT_TRUE(make_folders(path.parent_path()));
  ASSERT_TRUE(write_file_durably(path, as_bytes(text)));
}

// One id for each byte, with BOS 1.
Tokenizer byte_tokenizer() {
  return std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
}

// Of each document, without its BOS.
std::vector<std::string> texts_of(const Tokenizer& tokenizer, const TokenStream& stream) {
  check_stream(stream);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < stream.starts.size(); ++i) {
    const std::size_t start = stream.starts[i];
    EXPECT_EQ(stream.ids[start], tokenizer.bos_id());
    texts.push_back(
        tokenizer.decode(std::span(stream.ids).subspan(start, stream.end_of(i) - start)));
  }
  return texts;
}

std::string lines(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : "\n") + line + std::to_string(i);
  return text;
}

TEST(TextFolder, OpensTextFilesBelowItInOrder) {
  const TempFolder folder;
  put_text(folder / "b.txt", "b");
  put_text(folder / "a" / Path("z.MD"), "z");
  put_text(folder / "c.text", "c");
  put_text(folder / "ignored.pdf", "x");
  put_text(folder / "notxt", "x");
  std::filesystem::create_symlink(folder / "b.txt", folder / "link.txt");
  std::filesystem::create_directory(folder / "folder.txt");
  const auto files = open_text_folder(folder.path());
  ASSERT_TRUE(files) << files.error().what;
  std::vector<std::string> names;
  for (const OpenFile& file : *files) names.push_back(Path(file.name).filename());
  EXPECT_EQ(names, (std::vector<std::string>{"z.MD", "b.txt", "c.text"}));
}

TEST(TextFolder, SaysWhatToDoWithoutText) {
  const TempFolder folder;
  for (const Path& path : {folder.path(), folder / "nowhere"}) {
    const auto files = open_text_folder(path);
    ASSERT_FALSE(files);
    EXPECT_EQ(files.error().code, Code::kBadInput);
    EXPECT_NE(files.error().what.find("give a folder with .txt"), std::string::npos)
        << files.error().what;
  }
  put_text(folder / "a.txt", "x");
  EXPECT_FALSE(open_text_folder(folder / "a.txt"));
}

TEST(TextFolder, RefusesWhatItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TempFolder folder;
  put_text(folder / "a.txt", "x");
  std::filesystem::permissions(folder / "a.txt", std::filesystem::perms::none);
  const auto files = open_text_folder(folder.path());
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::kRefused);
}

TEST(Documents, AreSplitAndStripped) {
  const TempFolder folder;
  put_text(folder / "a.txt", " first \n<|endoftext|>\n\n<|endoftext|>second\xFF<|endoftext|>");
  const auto files = open_text_folder(folder.path());
  ASSERT_TRUE(files);
  for (int again = 0; again < 2; ++again) {  // the descriptor's offset does not matter
    const auto documents = read_documents(files->front());
    ASSERT_TRUE(documents) << documents.error().what;
    ASSERT_EQ(documents->size(), 2u);
    EXPECT_EQ((*documents)[0].text, "first");
    EXPECT_EQ((*documents)[1].text, "second\xFF");
    char byte;
    EXPECT_EQ(::read(files->front().fd.get(), &byte, 1), 1);
  }
}

TEST(Documents, RefusesBinaryFilesByName) {
  const auto documents = split_documents(std::string_view("a\0b", 3), "photo.txt");
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().code, Code::kBadInput);
  EXPECT_EQ(documents.error().what.substr(0, 9), "photo.txt");
  EXPECT_TRUE(split_documents("", "empty.txt")->empty());
}

TEST(Corpus, HoldsOutTheTailOfLongDocumentsAtALineEnd) {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::vector<Document> documents = {{lines(20, "line ")}, {lines(40, "other ")}};
  const auto corpus = make_corpus(tokenizer, documents, 0.1, 8);
  ASSERT_TRUE(corpus) << corpus.error().what;
  const auto train = texts_of(tokenizer, corpus->train),
             heldout = texts_of(tokenizer, corpus->heldout);
  ASSERT_EQ(train.size(), 2u);
  ASSERT_EQ(heldout.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(train[i] + heldout[i], documents[i].text);
    EXPECT_EQ(train[i].back(), '\n');
    EXPECT_LE(heldout[i].size(), documents[i].text.size() / 10 + 1);
    EXPECT_GE(heldout[i].size() + 9, documents[i].text.size() / 10);
  }
  EXPECT_EQ(corpus->train.bytes, train[0].size() + train[1].size());
  EXPECT_EQ(corpus->heldout.bytes, heldout[0].size() + heldout[1].size());
}

TEST(Corpus, HoldsOutTheLastOfShortDocuments) {
  const Tokenizer tokenizer = byte_tokenizer();
  std::vector<Document> documents;
  for (int i = 0; i < 10; ++i) documents.push_back({"text " + std::to_string(i)});
  const auto corpus = make_corpus(tokenizer, documents, 0.15, 8);
  ASSERT_TRUE(corpus) << corpus.error().what;
  EXPECT_EQ(texts_of(tokenizer, corpus->heldout), (std::vector<std::string>{"text 8", "text 9"}));
  EXPECT_EQ(texts_of(tokenizer, corpus->train).size(), 8u);
  EXPECT_EQ(corpus->heldout.bytes, 12u);
  EXPECT_EQ(corpus->train.bytes, 48u);
}

TEST(Corpus, KeepsOneShortDocumentForTraining) {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::vector<Document> one = {{"a single document"}};
  EXPECT_TRUE(make_corpus(tokenizer, one, 0.5, 8)->heldout.empty());
  const std::vector<Document> two = {{"a first document"}, {"b"}};
  EXPECT_EQ(texts_of(tokenizer, make_corpus(tokenizer, two, 0.9, 8)->heldout),
            std::vector<std::string>{"b"});
}

TEST(Corpus, HoldsOutNothingForAShareOfZero) {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::vector<Document> documents = {{lines(30, "line ")}, {"short"}};
  const auto corpus = make_corpus(tokenizer, documents, 0, 8);
  EXPECT_TRUE(corpus->heldout.empty());
  EXPECT_EQ(corpus->train.bytes, documents[0].text.size() + 5);
}

TEST(Corpus, NeedsAWindowOfTrainingText) {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::vector<Document> documents = {{"12345678"}};
  EXPECT_TRUE(make_corpus(tokenizer, documents, 0, 8));  // nine ids with BOS
  const auto corpus = make_corpus(tokenizer, documents, 0, 9);
  ASSERT_FALSE(corpus);
  EXPECT_NE(corpus.error().what.find("9 tokens and needs at least 10"), std::string::npos)
      << corpus.error().what;
}

}  // namespace
}  // namespace freshet
