// Finds what MODEL means: a path, or org/name[@revision] in the local Hugging Face cache.
//
//   HUB/models--org--name/refs/REVISION          text: the commit
//   HUB/models--org--name/snapshots/COMMIT/FILE  links into ../../blobs
#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kMaxName = 96;

bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

bool is_part(std::string_view part) {
  return !part.empty() && part.front() != '.' && part.front() != '-' && part.back() != '.' &&
         part.back() != '-' && std::all_of(part.begin(), part.end(), is_name_character);
}

// The hub's own rules for names; they also keep a name from leading out of the cache.
bool is_model_name(std::string_view name) {
  if (name.size() > kMaxName || name.find("--") != name.npos || name.find("..") != name.npos ||
      name.ends_with(".git"))
    return false;
  const auto slash = name.find('/');
  if (slash == name.npos) return is_part(name);
  return is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
}

// A branch or tag may hold slashes: "refs/pr/3".
bool is_revision(std::string_view revision) {
  return !revision.empty() && revision.size() <= 200 && revision.front() != '/' &&
         revision.find("..") == revision.npos &&
         std::all_of(revision.begin(), revision.end(),
                     [](char c) { return is_name_character(c) || c == '/'; });
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure))
    names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> cached_names(const fs::path& cache) {
  static constexpr std::string_view kPrefix = "models--";
  std::vector<std::string> names;
  for (const std::string& folder : names_in(cache))
    if (folder.starts_with(kPrefix))
      names.push_back(replaced(folder.substr(kPrefix.size()), "--", "/"));
  return names;
}

// Up to three cached names, the nearest first.
std::vector<std::string> near_names(const std::string& name, std::vector<std::string> known) {
  std::vector<std::string> near;
  while (near.size() < 3) {
    const std::string best = nearest_name(name, known);
    if (best.empty()) break;
    near.push_back(best);
    std::erase(known, best);
  }
  return near;
}

std::string download_command(const std::string& name, const std::string& revision) {
  return cat("download it with: hf download ", name,
             revision == "main" ? "" : cat(" --revision ", revision));
}

[[noreturn]] void refuse_absent(const std::string& model, const std::string& name,
                                const std::string& revision, const fs::path& cache) {
  // "a/model" where a folder "a" lies here: a mistyped path rather than a name of the hub.
  std::error_code ignored;
  const fs::path parent = fs::path(model).parent_path();
  if (!parent.empty() && fs::is_directory(parent, ignored)) {
    std::vector<std::string> beside;
    for (const auto& file : near_names(fs::path(model).filename().string(), names_in(parent)))
      beside.push_back((parent / file).string());
    throw Error(
        ErrorKind::kNotFound,
        cat("there is no file or folder \"", model, "\", nor is it in the cache ", cache.string(),
            beside.empty() ? "" : cat("\n  did you mean ", join(beside, ", "), "?")),
        cat("check the path; a model of this name is downloaded with: hf download ", name));
  }
  const auto near = near_names(name, cached_names(cache));
  throw Error(ErrorKind::kNotFound,
              cat("model \"", model, "\" is neither a path nor in the cache ", cache.string(),
                  near.empty() ? "" : cat("\n  did you mean ", join(near, ", "), "?")),
              download_command(name, revision));
}

std::string trimmed(std::string text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  return text;
}

// The snapshot folder, or an empty path.
fs::path snapshot(const fs::path& repository, const std::string& revision) {
  std::error_code ignored;
  std::string commit = revision;
  const fs::path reference = repository / "refs" / revision;
  if (fs::is_regular_file(reference, ignored)) commit = trimmed(read_file(reference, 4096));
  // What a reference file says is as untrusted as any file.
  if (!is_part(commit)) return {};
  const fs::path folder = repository / "snapshots" / commit;
  if (!fs::is_directory(folder, ignored)) return {};
  const auto inside =
      fs::canonical(folder, ignored).lexically_relative(fs::canonical(repository, ignored));
  if (inside.empty() || *inside.begin() == "..")
    throw Error(ErrorKind::kCorruptFile, cat(folder.string(), ": leads out of the cache"));
  return folder;
}

}  // namespace

std::filesystem::path locate_model(const std::string& model, const ModelPlaces& places) {
  std::error_code ignored;
  if (!model.empty() && fs::exists(model, ignored)) return model;
  const auto at = model.find('@');
  const std::string name = model.substr(0, at);
  const std::string revision = at == std::string::npos ? "main" : model.substr(at + 1);
  if (!is_model_name(name) || !is_revision(revision))
    throw Error(ErrorKind::kNotFound,
                cat("model \"", model,
                    "\": there is no such file or folder, and it is not a name "
                    "of the form org/name or org/name@revision"));
  if (places.hub_cache.empty())
    throw Error(ErrorKind::kNotFound, cat("model \"", model,
                                          "\": there is no such file or folder, "
                                          "and no cache folder is known"));
  const fs::path repository = places.hub_cache / ("models--" + replaced(name, "/", "--"));
  if (!fs::is_directory(repository, ignored))
    refuse_absent(model, name, revision, places.hub_cache);
  const fs::path found = snapshot(repository, revision);
  if (!found.empty()) return found;
  throw Error(ErrorKind::kNotFound,
              cat("model \"", name, "\" is in the cache, but its revision \"", revision,
                  "\" is not: ", repository.string()),
              download_command(name, revision));
}

}  // namespace nibble
