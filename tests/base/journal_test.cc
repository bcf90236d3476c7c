// What a journal gives back, what it refuses, and that nothing but its own files is touched.
#include "base/journal.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "nibble/error.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const Json kJob = {{"recipe", {{"bits", 4}}}, {"seed", 0}};
const Json kOther = {{"recipe", {{"bits", 3}}}, {"seed", 0}};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void keep(Journal& journal, const Json& state, std::vector<std::string_view> texts) {
  std::vector<std::span<const std::byte>> blobs;
  for (const std::string_view text : texts) blobs.push_back(bytes_of(text));
  journal.keep(state, blobs);
}

std::string records_of(const Journal& journal) {
  std::string all;
  journal.replay([&](std::string_view name, std::span<const std::byte> bytes) {
    all += std::string(name) + "=" + text_of(bytes) + ";";
  });
  return all;
}

// As if the work had taken an hour.
void age(const fs::path& journal) {
  Json whole = read_json(journal / "head.json");
  whole["head"]["seconds"] = 3600;
  const std::string head = whole["head"].dump();
  whole["sha256"] = sha256(bytes_of(head));
  write_file(journal / "head.json", whole.dump());
}

std::string refusal(const fs::path& folder, const Json& job, Resume resume) {
  try {
    const Journal journal(folder, job, resume);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Journal, GivesBackWhatWasKeptAndNotWhatCameAfter) {
  const TempDir dir;
  {
    Journal journal(dir / "j", kJob, Resume::kAuto);
    EXPECT_TRUE(journal.state().is_null());
    journal.add("a", bytes_of("one"));
    keep(journal, {{"layers", 1}}, {"first", ""});
    journal.add("b", bytes_of(""));
    journal.add("c", bytes_of("three"));
    keep(journal, {{"layers", 2}}, {"second", "blob"});
    journal.add("d", bytes_of("lost"));
  }
  Journal journal(dir / "j", kJob, Resume::kRequired);
  EXPECT_EQ(journal.state(), Json({{"layers", 2}}));
  ASSERT_EQ(journal.blobs().size(), 2u);
  EXPECT_EQ(text_of(journal.blobs()[0]), "second");
  EXPECT_EQ(text_of(journal.blobs()[1]), "blob");
  EXPECT_EQ(records_of(journal), "a=one;b=;c=three;");
  journal.add("e", bytes_of("five"));
  keep(journal, {{"layers", 3}}, {});
  EXPECT_EQ(records_of(journal), "a=one;b=;c=three;e=five;");
  journal.remove();
  EXPECT_FALSE(fs::exists(dir / "j"));
}

TEST(Journal, LeavesNothingWhereNothingWasKept) {
  const TempDir dir;
  { Journal(dir / "j", kJob, Resume::kAuto).add("a", bytes_of("one")); }
  EXPECT_FALSE(fs::exists(dir / "j"));
}

TEST(Journal, ThrowsAwayAMomentOfAnotherJobButNotAnHour) {
  const TempDir dir;
  for (const bool old : {false, true}) {
    {
      Journal journal(dir / "j", kJob, Resume::kNever);
      keep(journal, {{"layers", 1}}, {});
    }
    if (old) {
      age(dir / "j");
      const std::string text = refusal(dir / "j", kOther, Resume::kAuto);
      EXPECT_NE(text.find("recipe.bits (4, now 3)"), text.npos) << text;
      EXPECT_NE(text.find("1:00:00"), text.npos) << text;
      EXPECT_EQ(refusal(dir / "j", kJob, Resume::kAuto), "");
    }
    EXPECT_NE(refusal(dir / "j", kOther, Resume::kRequired), "");
    Journal journal(dir / "j", kOther, old ? Resume::kNever : Resume::kAuto);
    EXPECT_TRUE(journal.state().is_null());
    EXPECT_EQ(journal.note().empty(), old);
  }
}

TEST(Journal, NamesTheListThatHasGrown) {
  const TempDir dir;
  const Json before = {{"skip", {"a"}}}, now = {{"skip", {"a", "b"}}};
  {
    Journal journal(dir / "j", before, Resume::kAuto);
    keep(journal, {{"layers", 1}}, {});
  }
  age(dir / "j");
  const std::string text = refusal(dir / "j", now, Resume::kAuto);
  EXPECT_NE(text.find(R"(skip (["a"], now ["a","b"]))"), text.npos) << text;
}

TEST(Journal, RefusesToBeginWhereItMustGoOn) {
  const TempDir dir;
  EXPECT_NE(refusal(dir / "j", kJob, Resume::kRequired).find("nothing to go on from"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir / "j"));
}

TEST(Journal, BeginsAnewWhereItIsDamaged) {
  const TempDir dir;
  const auto spoil = [&](const fs::path& file, std::string_view text) {
    {
      Journal journal(dir / "j", kJob, Resume::kNever);
      journal.add("a", bytes_of("one"));
      keep(journal, {{"layers", 1}}, {"state"});
    }
    write_file(dir / "j" / file, text);
    Journal journal(dir / "j", kJob, Resume::kAuto);
    EXPECT_TRUE(journal.state().is_null()) << file;
    EXPECT_NE(journal.note().find("damaged"), std::string::npos) << file;
    EXPECT_EQ(records_of(journal), "") << file;
  };
  spoil("head.json", "{\"seconds\": 1");
  spoil("head.json", "[]");
  spoil("job.json", "{}");
  spoil("records", "");
  spoil("state-1", "sta");
  spoil("state-1", "stats");
  {
    Journal journal(dir / "k", kJob, Resume::kAuto);
    journal.add("a", bytes_of("one"));
    keep(journal, {{"layers", 1}}, {});
  }
  std::string records = read_file(dir / "k" / "records", 100);
  records.back() ^= 1;
  write_file(dir / "k" / "records", records);
  EXPECT_TRUE(Journal(dir / "k", kJob, Resume::kAuto).state().is_null());
}

TEST(Journal, IsForOneProcessAtATime) {
  const TempDir dir;
  const Journal journal(dir / "j", kJob, Resume::kAuto);
  EXPECT_NE(refusal(dir / "j", kJob, Resume::kAuto).find("another process"), std::string::npos);
}

TEST(Journal, LeavesWhatIsNotItsOwn) {
  const TempDir dir;
  fs::create_directories(dir / "j");
  write_file(dir / "j" / "notes.txt", "mine");
  {
    Journal journal(dir / "j", kJob, Resume::kNever);
    keep(journal, {{"layers", 1}}, {});
    journal.remove();
  }
  EXPECT_EQ(read_file(dir / "j" / "notes.txt", 100), "mine");
}

TEST(Journal, RefusesAFolderWhoseFilesOnlyHaveItsNames) {
  const TempDir dir;
  fs::create_directories(dir / "j");
  write_file(dir / "j" / "records", "mine");
  write_file(dir / "j" / "thesis.partial", "mine");
  EXPECT_NE(refusal(dir / "j", kJob, Resume::kNever).find("records: is in the way"),
            std::string::npos);
  EXPECT_EQ(read_file(dir / "j" / "records", 100), "mine");
  fs::remove(dir / "j" / "records");
  Journal(dir / "j", kJob, Resume::kNever).remove();
  EXPECT_EQ(read_file(dir / "j" / "thesis.partial", 100), "mine");
}

}  // namespace
}  // namespace nibble
