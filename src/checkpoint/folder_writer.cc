// A folder that Hugging Face's programs read: shards, config.json, what the layout adds, tokenizer.
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/output_folder.h"

namespace nibble {
namespace {

class FolderWriter final : public ModelWriter {
 public:
  FolderWriter(const Layout& layout, const LayoutSettings& settings, const fs::path& target,
               const OutputModel& model, const OutputOptions& options)
      : layout_(layout),
        settings_(settings),
        source_(model.source),
        config_(*model.config),
        folder_(target, {.force = options.replace, .inputs = {model.source}}),
        shards_(create_checkpoint(folder_.folder(), model.tensors,
                                  {.max_shard_bytes = options.max_shard_bytes})) {}

  void add(std::string_view name, std::span<const std::byte> bytes) override {
    shards_->add(name, bytes);
  }

  fs::path scratch() const override { return folder_.folder(); }

  void finish(const Json& passport) override {
    shards_->finish();
    folder_.copy_side_files(source_);
    config_["quantization_config"] = layout_.config(settings_);
    if (!layout_.config_key.empty())
      config_[std::string(layout_.config_key)] = config_["quantization_config"];
    folder_.write_text("config.json", config_.dump(2) + "\n");
    for (const auto& [name, text] : layout_.files(settings_)) folder_.write_text(name, text);
    folder_.write_text(kPassportName, passport.dump(1) + "\n");
    folder_.finish();
  }

 private:
  const Layout& layout_;
  LayoutSettings settings_;
  fs::path source_;
  Json config_;
  OutputFolder folder_;
  std::unique_ptr<CheckpointWriter> shards_;
};

}  // namespace

std::unique_ptr<ModelWriter> create_folder(const Layout& layout, const LayoutSettings& settings,
                                           const fs::path& target, const OutputModel& model,
                                           const OutputOptions& options) {
  return std::make_unique<FolderWriter>(layout, settings, target, model, options);
}

}  // namespace nibble
