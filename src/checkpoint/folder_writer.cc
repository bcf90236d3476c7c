// A folder that Hugging Face's programs read: shards, config.json, what the layout adds, tokenizer.
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/output_folder.h"
#include "checkpoint/plain_folder.h"

namespace nibble {
namespace {

class FolderWriter final : public ModelWriter {
 public:
  // `layout`: null where nothing is quantized.
  FolderWriter(const Layout* layout, const LayoutSettings& settings, const fs::path& target,
               const OutputModel& model, const OutputOptions& options)
      : target_(target),
        layout_(layout),
        settings_(settings),
        source_(model.source),
        side_files_(model.side_files),
        config_(*model.config),
        folder_(target, {.force = options.replace, .inputs = model.inputs}),
        shards_(create_checkpoint(folder_.folder(), model.tensors,
                                  writer_options(options.max_shard_bytes))) {}

  void add(std::string_view name, std::span<const std::byte> bytes) override {
    shards_->add(name, bytes);
  }

  fs::path scratch() const override { return folder_.folder(); }

  fs::path path() const override { return target_; }

  void finish(const Json& passport) override {
    shards_->finish();
    if (!source_.empty()) folder_.copy_side_files(source_);
    for (const SideFile& file : side_files_) folder_.write_text(file.name, file.text);
    if (layout_ != nullptr) {
      config_["quantization_config"] = layout_->config(settings_);
      if (!layout_->config_key.empty())
        config_[std::string(layout_->config_key)] = config_["quantization_config"];
    }
    folder_.write_text("config.json", config_.dump(2) + "\n");
    if (layout_ != nullptr)
      for (const auto& [name, text] : layout_->files(settings_)) folder_.write_text(name, text);
    folder_.write_text(kPassportName, passport.dump(1) + "\n");
    folder_.finish();
  }

 private:
  WriterOptions writer_options(std::uint64_t max_shard_bytes) const {
    WriterOptions options = {.max_shard_bytes = max_shard_bytes};
    if (layout_ != nullptr && layout_->metadata != nullptr)
      options.metadata = [this](std::span<const TensorInfo> tensors) {
        return layout_->metadata(tensors, settings_);
      };
    return options;
  }

  fs::path target_;
  const Layout* layout_;
  LayoutSettings settings_;
  fs::path source_;
  std::vector<SideFile> side_files_;
  Json config_;
  OutputFolder folder_;
  std::unique_ptr<CheckpointWriter> shards_;
};

}  // namespace

std::unique_ptr<ModelWriter> create_folder(const Layout& layout, const LayoutSettings& settings,
                                           const fs::path& target, const OutputModel& model,
                                           const OutputOptions& options) {
  return std::make_unique<FolderWriter>(&layout, settings, target, model, options);
}

std::unique_ptr<ModelWriter> create_plain_folder(const fs::path& target, const OutputModel& model,
                                                 const OutputOptions& options) {
  return std::make_unique<FolderWriter>(nullptr, LayoutSettings(), target, model, options);
}

}  // namespace nibble
