// The folder a job writes. Everything is written into a folder OUT.partial beside OUT; finish()
// renames it to OUT, or exchanges it with an older OUT and then removes that. So OUT is absent, the
// old complete output or the new complete one, whatever stops the program.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace nibble {

class OutputFolder {
 public:
  struct Options {
    bool force = false;            // an existing output is replaced when the new one is complete
    std::vector<fs::path> inputs;  // files and folders that must stay untouched
  };

  // Throws kInvalidArgument when `target` is, holds or lies in an input (through any links), is a
  // file, is not empty without `force`, or with it and is no checkpoint, and when OUT.partial is
  // there and no killed run left it; kResource when another process writes the same output.
  OutputFolder(const fs::path& target, const Options& options);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();  // without finish(): removes what was written

  const fs::path& folder() const { return staging_; }  // where to write until finish()
  const fs::path& target() const { return target_; }

  // Tokenizer, generation settings, chat templates and licence as they are in a Hugging Face
  // folder; never config.json, weights or README. Returns the names copied.
  std::vector<std::string> copy_side_files(const fs::path& input);
  void write_text(const std::string& name, std::string_view text);

  // Writes SHA256SUMS (for `sha256sum -c`) over all files and moves everything to target().
  void finish();

 private:
  void lock();
  void write_checksums() const;
  void replace_target() const;

  fs::path target_;
  fs::path staging_;
  bool force_ = false;
  bool finished_ = false;
  int lock_ = -1;
};

}  // namespace nibble
