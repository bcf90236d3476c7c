#include "quantize/verify.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/gguf_type.h"
#include "checkpoint/gguf_writer.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/calibration/input_importance.h"
#include "quantize/calibration/verify_inputs.h"
#include "quantize/nonfinite.h"
#include "quantize/passport.h"

namespace nibble {
namespace {

constexpr const char* kSums = "SHA256SUMS";

class Verifier {
 public:
  explicit Verifier(const std::filesystem::path& model)
      : model_(model), in_folder_(std::filesystem::is_directory(model)) {}

  VerifyResult run(const std::optional<std::filesystem::path>& base) {
    if (in_folder_) check_sums();
    try {
      if (check_foreign(base)) return std::move(result_);
      const ModelSource source(model_);
      check_model(source);
      check_modules(source);
      check_passport(source, base);
    } catch (const Error& problem) {
      error("model.open", problem.what());
    }
    return std::move(result_);
  }

 private:
  void error(std::string rule, std::string text) {
    result_.findings.push_back({true, std::move(rule), std::move(text)});
  }
  void warn(std::string rule, std::string text) {
    result_.findings.push_back({false, std::move(rule), std::move(text)});
  }

  void check_sums() {
    if (!std::filesystem::exists(model_ / kSums)) {
      warn("sums.missing", "there is no SHA256SUMS: damage to the files cannot be seen");
      return;
    }
    std::istringstream lines(read_file(model_ / kSums, 16u << 20));
    std::set<std::string> listed;
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) continue;
      if (line.size() < 67 || line.find("  ") != 64 || line.find("..", 66) != line.npos ||
          line[66] == '/') {
        error("sums.line",
              cat("SHA256SUMS has a line that is not \"hash  name\": ", line.substr(0, 80)));
        continue;
      }
      const std::string name = line.substr(66);
      listed.insert(name);
      if (!std::filesystem::is_regular_file(model_ / name)) {
        error("sums.file_missing", cat(name, " is listed in SHA256SUMS, but it is not there"));
      } else if (sha256_of_file(model_ / name) != line.substr(0, 64)) {
        error("sums.mismatch", cat(name, " is not the file that was written: its SHA-256 differs"));
      } else {
        ++result_.files_checked;
      }
    }
    for (const auto& entry : std::filesystem::directory_iterator(model_)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && name != kSums && !listed.contains(name))
        warn("sums.unlisted", cat(name, " is not listed in SHA256SUMS"));
    }
  }

  // What is written here and never opened has its sums and its passport's, no more. False: it is
  // something else.
  bool check_foreign(const std::optional<std::filesystem::path>& base) {
    for (const Layout* layout : layouts::all()) {
      if (layout->foreign_file.empty() || !in_folder_ ||
          !std::filesystem::exists(model_ / layout->foreign_file) ||
          !std::filesystem::exists(model_ / kPassportName))
        continue;
      warn("model.foreign",
           cat(layout->foreign_file, " is for other programs: its sum was checked, ",
               "its weights were not"));
      const Json passport = read_json(model_ / kPassportName);
      for (const char* key : {"tokenizer", "base"})
        if (!passport.is_object() || !passport.contains(key) || !passport[key].is_object())
          error("passport.read", cat("the passport has no object \"", key, "\""));
        else if (const bool own = key == std::string_view("tokenizer"); own || base)
          check_hashes(passport[key], own ? model_ : folder_of(*base), cat("passport.", key));
      return true;
    }
    return false;
  }

  static std::filesystem::path folder_of(const std::filesystem::path& base) {
    return std::filesystem::is_directory(base) ? base : base.parent_path();
  }

  void check_model(const ModelSource& source) {
    for (const std::string& note : source.notes()) warn("model.note", note);
    for (const NonFinite& found : find_nonfinite(source.checkpoint()))
      error("values.nonfinite",
            cat("tensor \"", found.tensor, "\" holds ", found.count,
                " values that are not finite, the first at index ", found.first));
    const Layout* layout =
        in_folder_ ? layouts::claiming(source.config()) : layouts::writing(model_);
    if (layout == nullptr) return;
    for (const TensorInfo& info : source.checkpoint().tensors())
      if (const auto module = layout->module_of(info)) modules_.insert(within_body(*module));
    result_.modules_checked = modules_.size();
    if (layout->check == nullptr) return;
    const auto findings =
        layout->check(source.checkpoint(), source.config()["quantization_config"]);
    result_.findings.insert(result_.findings.end(), findings.begin(), findings.end());
  }

  // What loading would refuse, layer by layer: whatever the layout, a matrix must have the sizes
  // that the model asks for.
  void check_modules(const ModelSource& source) {
    const auto try_to = [&](const auto& open) {
      try {
        open();
      } catch (const Error& problem) {
        const std::string text = problem.what();
        // The layout's own rules may have told it already.
        const bool told =
            std::any_of(result_.findings.begin(), result_.findings.end(),
                        [&](const Finding& finding) { return text.ends_with(finding.text); });
        if (!told) error("model.module", text);
      }
    };
    for (std::size_t layer = 0; layer < source.hyper().layers; ++layer)
      try_to([&] { source.block(layer); });
    try_to([&] { source.embedding(); });
    if (!source.hyper().tied_head) try_to([&] { source.head(); });
  }

  // What stands in front of "layers." differs between a folder and the file made from it.
  static std::string within_body(const std::string& module) {
    for (const std::string_view part : {"layers.", "embed_tokens", "lm_head"})
      if (const auto at = module.find(part); at != std::string::npos) return module.substr(at);
    return module;
  }

  // The sum that a single file has of its own tensors.
  void check_tensors(const Json& passport) {
    const std::string expected = json_string(passport, "tensors_sha256", "");
    if (expected.empty())
      warn("sums.missing", "the passport has no sum: damage to the tensors cannot be seen");
    else if (const auto reader = open_checkpoint(model_); tensors_sha256(*reader) != expected)
      error("sums.mismatch",
            cat(model_.string(),
                ": its tensors are not those that were written: the SHA-256 differs"));
    else
      result_.files_checked += reader->files().size();
  }

  void check_hashes(const Json& expected, const std::filesystem::path& folder,
                    const std::string& rule) {
    for (const auto& [name, hash] : expected.items()) {
      const auto file = folder / std::filesystem::path(name).filename();
      if (!std::filesystem::is_regular_file(file))
        error(rule, cat(file.string(), " is named in the passport, but it is not there"));
      else if (!hash.is_string() || sha256_of_file(file) != hash.get<std::string>())
        error(rule,
              cat(file.string(), " is not the file that the passport names: its SHA-256 differs"));
    }
  }

  void check_passport(const ModelSource& source, const std::optional<std::filesystem::path>& base) {
    try {
      const Json passport = read_passport(source);
      if (passport.is_null())
        return warn("passport.missing", "there is no passport: nothing tells how this was made");
      if (json_string(passport, "schema", "") != "nibble.passport/1")
        throw Error(ErrorKind::kCorruptFile, "\"schema\" is not nibble.passport/1");
      const auto object = [&](const char* key) -> const Json& {
        const auto found = passport.find(key);
        if (found == passport.end() || !found->is_object())
          throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is not an object"));
        return *found;
      };
      if (in_folder_)
        check_hashes(object("tokenizer"), model_, "passport.tokenizer");
      else
        check_tensors(passport);
      // A file's own folder is where it and its other parts lie.
      if (base) check_hashes(object("base"), folder_of(*base), "passport.base");
      std::set<std::string> named;
      for (const Json& module : passport.value("modules", Json::array()))
        named.insert(within_body(json_string(module, "name", "")));
      for (const Json& tensor : passport.value("tensors", Json::array()))
        if (gguf_type_named(json_string(tensor, "type", "")).blocks != nullptr)
          named.insert(within_body(json_string(tensor, "name", "")));
      if (named != modules_)
        error("passport.modules",
              cat("the passport names ", named.size(), " quantized modules; the checkpoint holds ",
                  modules_.size(), ", not the same ones"));
    } catch (const Error& problem) {
      error("passport.read", cat(model_.string(), ": passport: ", problem.what()));
    }
  }

  std::filesystem::path model_;
  bool in_folder_;
  std::set<std::string> modules_;
  VerifyResult result_;
};

}  // namespace

bool VerifyResult::passed() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.error; });
}

VerifyResult verify_checkpoint(const std::filesystem::path& model,
                               const std::optional<std::filesystem::path>& base) {
  if (InputImportance::is_in(model)) return verify_inputs(model, base);
  if (!std::filesystem::is_directory(model) && layouts::writing(model) == nullptr)
    throw Error(ErrorKind::kInvalidArgument,
                cat(model.string(),
                    " is neither a folder nor NAME.gguf: verify checks what nibble quantize wrote"),
                cat("for a single file: nibble show ", model.string(),
                    ", and sha256sum against the sum that its publisher names"));
  return Verifier(model).run(base);
}

}  // namespace nibble
