// Pairs are counted once; a merge then changes only the counts of its neighbours, in the words that
// hold it. The most frequent pair comes from a heap whose counts may be out of date: one that is
// goes back with its present count.
//
// A pair can lie in the heap more than once: a token that two merges make ("ab" + "c", "a" + "bc")
// brings new neighbours each time. Each entry then merges in the words it brought, as the reference
// has it, and so the later of two equal merges gives the rank.
#include "tokenizer/training/train_bpe.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/text.h"
#include "base/utf8.h"
#include "nibble/error.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/training/pair_counts.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

using WordList = std::vector<std::uint32_t>;  // indices, rising

constexpr std::size_t kMergesPerReport = 64;

struct Candidate {
  std::int64_t count = 0;
  Pair pair = 0;
  std::uint32_t words = 0;  // where its list is
};
// A pair as a number is in the order of its ids. Of equal pairs the older goes first.
struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    if (a.count != b.count) return a.count < b.count;
    return a.pair != b.pair ? a.pair > b.pair : a.words > b.words;
  }
};

// What stands on one side of the pairs that a merge replaces: which id, how often, in which words.
class Neighbours {
 public:
  void reserve(std::size_t ids) {
    if (ids <= counts_.size()) return;
    counts_.resize(ids);
    words_.resize(ids);
  }
  void add(std::int32_t id, std::int64_t count, std::uint32_t word) {
    const auto at = static_cast<std::size_t>(id);
    if (words_[at].empty()) ids_.push_back(id);
    counts_[at] += count;
    if (words_[at].empty() || words_[at].back() != word) words_[at].push_back(word);
  }
  // use(id, count, words) for each, in any order; then there are none.
  template <typename Use>
  void take(const Use& use) {
    for (const std::int32_t id : ids_) {
      const auto at = static_cast<std::size_t>(id);
      use(id, std::exchange(counts_[at], 0), std::exchange(words_[at], {}));
    }
    ids_.clear();
  }

 private:
  std::vector<std::int32_t> ids_;
  std::vector<std::int64_t> counts_;  // by id, as words_
  std::vector<WordList> words_;
};

std::vector<std::string> byte_spellings() {
  std::vector<std::string> all(256);
  for (std::size_t byte = 0; byte < all.size(); ++byte)
    append_byte_characters(all[byte], std::string(1, static_cast<char>(byte)));
  return all;
}

class Training {
 public:
  Training(const WordCounts& words, const BpeTrainingOptions& options)
      : counts_(words), options_(options) {
    begin_vocabulary();
    spell_words();
    count_pairs();
  }

  TrainedBpe run(const ProgressSink& progress) {
    while (result_.tokens.size() < options_.vocabulary_size && !heap_.empty()) {
      Candidate top = heap_.top();
      heap_.pop();
      if (const std::int64_t now = pairs_[top.pair]; top.count != now) {
        top.count = now;
        heap_.push(top);
        continue;
      }
      if (top.count < 1 || static_cast<std::uint64_t>(top.count) < options_.min_frequency) break;
      merge(top);
      if (result_.merges.size() % kMergesPerReport == 0) {
        throw_if_stopped();
        report(progress, options_.vocabulary_size);
      }
    }
    report(progress, result_.tokens.size());
    keep_later_of_equal_merges();
    for (std::size_t i = 0; i < counts_.size(); ++i)
      result_.text_tokens += counts_.count(i) * lengths_[i];
    return std::move(result_);
  }

 private:
  void report(const ProgressSink& progress, std::size_t total) const {
    if (!progress) return;
    progress({"Merges", cat(result_.tokens.size(), " tokens"),
              static_cast<double>(result_.tokens.size()), static_cast<double>(total)});
  }

  std::int32_t id_of(const std::string& token) {
    const auto next = static_cast<std::int32_t>(result_.tokens.size());
    const auto [entry, is_new] = ids_.try_emplace(token, next);
    if (is_new) result_.tokens.push_back(token);
    return entry->second;
  }

  // Special tokens, then the characters of all bytes in the order of their code points.
  void begin_vocabulary() {
    for (const std::string& token : options_.special) id_of(token);
    result_.special = options_.special.size();
    const std::vector<std::string> alphabet = byte_spellings();
    std::vector<std::size_t> order(alphabet.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // UTF-8 is in the order of code points.
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return alphabet[a] < alphabet[b]; });
    for (const std::size_t byte : order) byte_ids_[byte] = id_of(alphabet[byte]);
  }

  void spell_words() {
    symbols_.reserve(counts_.bytes());
    begins_.reserve(counts_.size());
    lengths_.reserve(counts_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      begins_.push_back(symbols_.size());
      for (const char byte : counts_.word(i))
        symbols_.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      lengths_.push_back(symbols_.size() - begins_.back());
    }
  }

  // All tokens are bytes here, so that a table of all pairs is small.
  void count_pairs() {
    std::vector<std::int64_t> totals(1 << 16);
    std::vector<WordList> where(1 << 16);
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const std::string_view word = counts_.word(i);
      const auto index = static_cast<std::uint32_t>(i);
      for (std::size_t k = 0; k + 1 < word.size(); ++k) {
        const std::size_t pair =
            static_cast<std::size_t>(byte_at(word, k)) << 8 | byte_at(word, k + 1);
        totals[pair] += static_cast<std::int64_t>(counts_.count(i));
        if (where[pair].empty() || where[pair].back() != index) where[pair].push_back(index);
      }
    }
    for (std::size_t pair = 0; pair < where.size(); ++pair) {
      if (where[pair].empty()) continue;
      const Pair ids = pair_of(byte_ids_[pair >> 8], byte_ids_[pair & 0xFF]);
      pairs_[ids] = totals[pair];
      push(ids, std::move(where[pair]));
    }
  }

  static unsigned char byte_at(std::string_view word, std::size_t i) {
    return static_cast<unsigned char>(word[i]);
  }

  void push(Pair pair, WordList&& words) {
    const std::int64_t count = pairs_[pair];
    if (count <= 0) return;
    words.shrink_to_fit();
    heap_.push({count, pair, static_cast<std::uint32_t>(lists_.size())});
    lists_.push_back(std::move(words));
  }

  void merge(const Candidate& top) {
    const std::int32_t left = left_of(top.pair), right = right_of(top.pair);
    const std::int32_t merged = id_of(cat(result_.tokens[static_cast<std::size_t>(left)],
                                          result_.tokens[static_cast<std::size_t>(right)]));
    result_.merges.emplace_back(left, right);
    before_.reserve(result_.tokens.size());
    behind_.reserve(result_.tokens.size());
    for (const std::uint32_t word : std::exchange(lists_[top.words], {}))
      replace(word, left, right, merged);
    before_.take([&](std::int32_t id, std::int64_t count, WordList&& words) {
      pairs_[pair_of(id, left)] -= count;
      gain(pair_of(id, merged), count, std::move(words));
    });
    behind_.take([&](std::int32_t id, std::int64_t count, WordList&& words) {
      pairs_[pair_of(right, id)] -= count;
      gain(pair_of(merged, id), count, std::move(words));
    });
    for (auto& [pair, words] : gained_) push(pair, std::move(words));
    gained_.clear();
  }

  void gain(Pair pair, std::int64_t count, WordList&& words) {
    pairs_[pair] += count;
    if (left_of(pair) == right_of(pair))  // may come from both sides
      for (auto& [known, list] : gained_)
        if (known == pair) {
          WordList both;
          std::set_union(list.begin(), list.end(), words.begin(), words.end(),
                         std::back_inserter(both));
          list = std::move(both);
          return;
        }
    gained_.emplace_back(pair, std::move(words));
  }

  // From left to right, each pair with the symbols around it as they stand then.
  void replace(std::uint32_t word, std::int32_t left, std::int32_t right, std::int32_t merged) {
    std::int32_t* symbols = symbols_.data() + begins_[word];
    const auto count = static_cast<std::int64_t>(counts_.count(word));
    const std::size_t length = lengths_[word];
    std::size_t written = 0;
    for (std::size_t i = 0; i < length;) {
      if (symbols[i] != left || i + 1 == length || symbols[i + 1] != right) {
        symbols[written++] = symbols[i++];
        continue;
      }
      if (written > 0) before_.add(symbols[written - 1], count, word);
      symbols[written++] = merged;
      i += 2;
      if (i < length) behind_.add(symbols[i], count, word);
    }
    lengths_[word] = written;
  }

  void keep_later_of_equal_merges() {
    std::unordered_map<Pair, std::size_t> last;
    auto& merges = result_.merges;
    for (std::size_t i = 0; i < merges.size(); ++i)
      last[pair_of(merges[i].first, merges[i].second)] = i;
    if (last.size() == merges.size()) return;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < merges.size(); ++i)
      if (last[pair_of(merges[i].first, merges[i].second)] == i) merges[kept++] = merges[i];
    merges.resize(kept);
  }

  const WordCounts& counts_;
  const BpeTrainingOptions& options_;
  TrainedBpe result_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<std::int32_t> symbols_;  // of all words, one behind the other
  std::vector<std::size_t> begins_, lengths_;
  PairCounts pairs_;
  std::priority_queue<Candidate, std::vector<Candidate>, Later> heap_;
  std::vector<WordList> lists_;
  Neighbours before_, behind_;
  std::vector<std::pair<Pair, WordList>> gained_;  // of the merge at hand
};

}  // namespace

void check(const BpeTrainingOptions& options) {
  std::set<std::string> tokens;
  for (const std::string& token : options.special) {
    if (token.empty()) throw Error(ErrorKind::kInvalidArgument, "a special token is an empty text");
    if (well_formed_bytes(token) != token.size())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("the special token \"", lossy_utf8(token), "\" is not UTF-8"));
    if (!tokens.insert(token).second)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("the special token \"", token, "\" is given twice"));
  }
  for (const std::string& byte : byte_spellings()) tokens.insert(byte);
  if (options.vocabulary_size < tokens.size())
    throw Error(ErrorKind::kInvalidArgument,
                cat("a vocabulary of ", options.vocabulary_size,
                    " does not hold the 256 bytes and ", options.special.size(), " special tokens"),
                cat("ask for ", tokens.size(), " or more"));
}

TrainedBpe train_bpe(const WordCounts& words, const BpeTrainingOptions& options,
                     const ProgressSink& progress) {
  check(options);
  if (words.size() == 0)
    throw Error(ErrorKind::kInvalidArgument, "the text is empty: there is nothing to learn from");
  return Training(words, options).run(progress);
}

}  // namespace nibble::tokenizer
