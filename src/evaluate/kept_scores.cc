#include "evaluate/kept_scores.h"

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "model/adapter/adapter.h"
#include "nibble/error.h"

namespace nibble {
namespace {

template <typename Values>
std::string sum_of(const Values& values) {
  return sha256(std::as_bytes(std::span(values)));
}

Json file_json(const fs::path& file) {
  std::error_code ignored;
  return {{"path", fs::weakly_canonical(file, ignored).string()},
          {"bytes", fs::file_size(file, ignored)},
          {"time", fs::last_write_time(file, ignored).time_since_epoch().count()}};
}

Json number_or_null(const std::optional<std::int32_t>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

KeptScores::KeptScores(std::span<const ModelSource* const> models, const ScoredText& text,
                       const MeasureOptions& options)
    : options_(options) {
  if (options.journals.empty()) return;
  Json known_files = Json::array();
  for (const ModelSource* model : models) {
    auto files = model->checkpoint().files();
    if (model->checkpoint().gguf() == nullptr) files.push_back(model->folder() / "config.json");
    if (const Adapter* adapter = model->adapter())
      for (const char* name : {"adapter_config.json", "adapter_model.safetensors"})
        files.push_back(adapter->folder / name);
    for (const fs::path& file : files) known_files.push_back(file_json(file));
    files_.insert(files_.end(), files.begin(), files.end());
  }
  // The tokens stand for text and tokenizer, the windows for protocol and context.
  known_ = {{"job", "measure"},
            {"version", NIBBLE_VERSION},
            {"instruction_set", kernels().name},
            {"compute", static_cast<int>(options.compute)},
            {"compute_other", static_cast<int>(options.compute_other.value_or(options.compute))},
            {"protocol", text.scope.protocol},
            {"context", text.scope.context},
            {"windows", text.windows.size()},
            {"bos", number_or_null(text.bos)},
            {"tokens_sha256", sum_of(text.ids)},
            {"files", std::move(known_files)}};
  folder_ = options.journals / sum_of(known_.dump()).substr(0, 24);
  std::error_code ignored;
  if (options.resume == Resume::kRequired || fs::exists(folder_, ignored)) open(options.resume);
}

Json KeptScores::job() const {
  Json job = known_;
  for (std::size_t i = 0; i < files_.size(); ++i)
    job["files"][i]["sha256"] = sha256_of_file(files_[i]);
  return job;
}

void KeptScores::tell(const std::string& line) const {
  if (options_.log && !line.empty()) options_.log(line);
}

// Whatever keeps a journal from being had costs the journal, not the figures.
void KeptScores::open(Resume resume) {
  try {
    journal_.emplace(folder_, job(), resume);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kResource) throw;
    folder_.clear();
    const std::string why = error.what();
    return tell(cat(why.substr(0, why.find('\n')), "; nothing of this measurement is kept"));
  }
  tell(journal_->note());
  if (journal_->state().is_null()) return;
  windows_ = journal_->state().at("windows").get<std::size_t>();
  journal_->replay([&](std::string_view, std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  });
  kept_ = bytes_.size();
  tell(cat("going on after ", windows_, " of ", known_["windows"].get<std::size_t>(),
           " windows, from ", folder_.string()));
}

void KeptScores::keep(std::size_t windows, std::span<const std::byte> values) {
  if (folder_.empty()) return;
  if (!journal_) {
    const std::chrono::duration<double> spent = Clock::now() - began_;
    if (spent.count() < options_.journal_after) return;
    open(Resume::kNever);
    if (!journal_) return;
  } else if (!journal_->due()) {
    return;
  }
  const std::string before = journal_->note();
  journal_->add("values", values.subspan(kept_));
  journal_->keep({{"windows", windows}}, {});
  kept_ = values.size();
  if (journal_->note() != before) tell(journal_->note());
}

void KeptScores::remove() {
  if (journal_) journal_->remove();
}

}  // namespace nibble
