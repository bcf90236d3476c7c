#include "quantize/convert/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "formats/block_codes.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/convert/carried_parts.h"
#include "quantize/convert/compare_weights.h"
#include "quantize/convert/convert_gguf.h"
#include "quantize/convert/recover_modules.h"
#include "quantize/passport.h"
#include "quantize/resumable.h"
#include "quantize/verify.h"

namespace nibble {
namespace {

// Blocks that hold these codes decode to the same weights.
bool blocks_keep(const BlockFormat& format, const Codes& codes) {
  const auto bytes = blocks_of(format, codes);
  std::vector<float> wanted(codes.columns), got(codes.columns);
  for (std::size_t r = 0; r < codes.rows; ++r) {
    decode_rows(codes, r, Matrix(wanted.data(), 1, codes.columns));
    format.decode(
        reinterpret_cast<const std::uint8_t*>(bytes.data()) + r * format.row_bytes(codes.columns),
        codes.columns / format.block, got.data());
    if (wanted != got) return false;
  }
  return true;
}

class Conversion {
 public:
  Conversion(const std::filesystem::path& model, const std::filesystem::path& output,
             const ConvertOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  ConvertResult run() {
    for (const std::string& note : source_.notes()) tell(note);
    from_ = layouts::claiming(source_.config());
    choose_layout();
    if (from_ == nullptr) {
      recover();
      require_sound_source();  // behind what is found in a few rows of most models
    } else {
      open_source();
      find_modules();
      choose_dialect();
    }
    warn_of_readers();
    carried_parts_.emplace(source_, to_->suffix.empty(), log_);
    write(planned_tensors());
    if (to_->opens()) {
      compare();
      tell_of_output();
    }
    return std::move(result_);
  }

 private:
  struct Module {
    std::string name;
    CodeShape shape;
    std::unique_ptr<StoredCodes> stored;         // null: found in dense weights
    const RecoveredModule* recovered = nullptr;  // of those

    const BlockFormat* blocks() const {
      return recovered != nullptr ? recovered->form.blocks : nullptr;
    }
  };

  void tell(const std::string& line) const {
    if (log_) log_(line);
  }
  void show(std::string_view label, double done, double total) const {
    if (progress_) progress_({"Converting", label, done, total});
  }

  void open_source() {
    if (!options_.grid.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--grid and --group-size would not be read: ", source_.path().string(),
                      " is quantized, and its codes stay as they are"),
                  "leave them out");
    require_sound_source();
    stored_ = from_->open(source_.checkpoint(), source_.config()["quantization_config"]);
    result_.from = from_->name;
  }

  // Damage would be carried over, and the sums of the output would vouch for it.
  void require_sound_source() const {
    for (const Finding& finding : verify_checkpoint(source_.path(), std::nullopt).findings)
      if (finding.error)
        throw Error(ErrorKind::kCorruptFile,
                    cat(source_.path().string(), ": ", finding.text, " [", finding.rule, "]"),
                    "nibble verify tells all that is wrong; convert takes sound folders only");
  }

  void choose_layout() {
    const Layout* by_name = layouts::writing(output_);
    if (options_.layout.empty() && by_name == nullptr)
      throw Error(ErrorKind::kInvalidArgument, "no layout was named",
                  "give --layout (nibble formats lists them), or an output that ends in .gguf");
    to_ = options_.layout.empty() ? by_name : &layouts::named(options_.layout);
    if ((by_name == to_) != !to_->suffix.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("layout ", to_->name, " writes ",
                      to_->suffix.empty() ? "a folder" : cat("a file that ends in ", to_->suffix),
                      ", and the output is named ", output_.string()));
    result_.to = to_->name;
    if (to_->write == nullptr)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("layout ", to_->name, ": ",
                      to_->refusal(code_shape(128, 128, {&grids::uniform(4), 128}))),
                  "choose another --layout (nibble formats lists which are written)");
    if (!to_->suffix.empty() && options_.max_shard_bytes != ConvertOptions().max_shard_bytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--max-shard-size would not be read: layout ", to_->name, " writes one file"),
                  "leave it out; --split-max-size cuts such a file in parts");
    if (to_->suffix.empty() && options_.max_part_bytes != 0)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--split-max-size would not be read: layout ", to_->name, " writes a folder"),
                  "leave it out; --max-shard-size is for folders");
  }

  // Unquantized weights: the codes are those of a grid that they lie on.
  void recover() {
    result_.from = "dense";
    GridHint hint = options_.grid;
    hint.dialect = options_.dialect;
    recovery_ = recover_modules(
        source_, *to_, hint, [&](const std::string& name, double share) { show(name, share, 3); });
    for (const RecoveredModule& found : recovery_.modules) {
      modules_.push_back({found.name, found.form.blocks == nullptr ? found.shape() : CodeShape(),
                          nullptr, &found});
      ++result_.grids[found.form.text()];
    }
    result_.modules = modules_.size();
    result_.dialect = settings_.dialect = recovery_.dialect;
    settings_.dtype = recovery_.dtype;
    settings_.symmetric = recovery_.symmetric;
    if (!writes_blocks(*to_)) describe_modules();
  }

  Codes codes_of_module(const Module& module) const {
    return module.recovered != nullptr ? recovered_codes(*module.recovered, *to_, settings_)
                                       : codes_of(*module.stored);
  }

  void find_modules() {
    std::set<std::string> seen;
    for (std::size_t layer = 0; layer < source_.hyper().layers; ++layer) {
      const Block block = source_.block(layer);
      for (std::size_t i = 0; i < kRoles; ++i) {
        if (block.linears[i] == nullptr) continue;
        const std::string name = source_.module_path(layer, static_cast<Role>(i));
        if (!seen.insert(name).second) continue;
        if (stored_->holds(name)) {
          auto stored = stored_->open(name);
          CodeShape shape = stored->shape();
          modules_.push_back({name, std::move(shape), std::move(stored), nullptr});
        } else {
          settings_.skipped.push_back(name);
        }
      }
    }
    if (modules_.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  cat(source_.path().string(), ": none of its layers is quantized"));
    for (const std::string& module : {source_.names().head(), source_.names().embedding()})
      if (stored_->holds(module))
        throw Error(ErrorKind::kUnsupported,
                    cat("module \"", module, "\" is quantized; only the layers' own modules are ",
                        "converted"));
    result_.modules = modules_.size();
    describe_modules();
  }

  // What most modules are, and which ones differ.
  void describe_modules() {
    std::map<std::pair<std::string_view, std::size_t>, std::size_t> counts;
    const auto settings = [](const CodeShape& shape) {
      return ModuleSettings{shape.grid, shape.group_size >= shape.columns ? 0 : shape.group_size};
    };
    std::size_t most = 0;
    for (const Module& module : modules_) {
      const ModuleSettings own = settings(module.shape);
      if (const std::size_t count = ++counts[{own.grid->name, own.group_size}]; count > most) {
        most = count;
        settings_.base = own;
      }
      settings_.group_index |= !module.shape.group_index.empty();
    }
    for (const Module& module : modules_)
      if (const ModuleSettings own = settings(module.shape); own != settings_.base)
        settings_.overrides.emplace_back(module.name, own);
  }

  // The first dialect that keeps everything, or a refusal with what the first one would lose.
  void choose_dialect() {
    std::vector<std::string> dialects;
    if (!options_.dialect.empty())
      dialects.push_back(layouts::dialect_of(*to_, options_.dialect));
    else
      dialects = layouts::dialects_for(*to_, *settings_.base.grid);
    if (to_->dialects.empty()) dialects.emplace_back();
    std::string first_loss;
    for (const std::string& dialect : dialects) {
      settings_.dialect = dialect;
      // Scales in another type than the original model's, where the layout has one for them.
      for (const DType type : {DType::kF16, DType::kF32}) {
        settings_.dtype = type;
        const std::string loss = loss_in(dialect);
        if (loss.empty()) {
          result_.dialect = dialect;
          return;
        }
        if (first_loss.empty()) first_loss = loss;
      }
    }
    if (first_loss.empty())
      first_loss = cat("layout ", to_->name, " holds no codes of ", settings_.base.grid->name);
    throw Error(
        ErrorKind::kUnsupported, first_loss,
        "convert keeps every weight as it is; for other weights quantize the original model");
  }

  std::string loss_in(const std::string& dialect) {
    settings_.symmetric = true;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      throw_if_stopped();
      show(modules_[i].name, static_cast<double>(i), 3.0 * static_cast<double>(modules_.size()));
      const Module& module = modules_[i];
      const CodeShape& shape = module.shape;
      const auto told = [&](const std::string& why) {
        return cat("module \"", module.name, "\" does not fit layout ", to_->name,
                   dialect.empty() ? "" : cat(" (", dialect, ")"), ": ", why);
      };
      if (const std::string why = to_->refusal(shape); !why.empty()) return told(why);
      const Codes codes = codes_of_module(module);
      if (const std::string why = loss_of(codes, to_->storable(shape, settings_)); !why.empty())
        return told(why);
      settings_.symmetric &= zeros_in_the_middle(codes);
    }
    return {};
  }

  // Readers that will refuse the output: told before it is written, as quantize does.
  void warn_of_readers() const {
    if (to_->consumers == nullptr) return;
    std::vector<ShapedModule> shaped;
    for (const Module& module : modules_) {
      if (module.blocks() != nullptr) continue;
      const CodeShape& shape = module.shape;
      const std::size_t group = shape.group_size >= shape.columns ? 0 : shape.group_size;
      shaped.push_back({module.name, shape.rows, shape.columns, {shape.grid, group}});
    }
    for (const Finding& finding : to_->consumers(shaped, settings_))
      tell(cat("warning: ", finding.text, " [", finding.rule, "]"));
  }

  // Weights are the same, but readers of this layout may do more than decode them: round the
  // inputs.
  void tell_of_output() const {
    const ModelSource output(result_.output);
    const auto& before = source_.notes();
    for (const std::string& note : output.notes())
      if (std::find(before.begin(), before.end(), note) == before.end())
        tell(cat(result_.output.string(), ": ", note));
  }

  // The module that a tensor of the source belongs to as its codes.
  const Module* module_of(const std::string& tensor) const {
    for (const Module& module : modules_)
      if (tensor.size() > module.name.size() && tensor.starts_with(module.name) &&
          tensor[module.name.size()] == '.')
        return tensor.ends_with(".bias") ? nullptr : &module;
    return nullptr;
  }

  std::vector<TensorInfo> planned_tensors() {
    std::vector<TensorInfo> tensors;
    std::set<const Module*> planned;
    for (const TensorInfo& info : source_.checkpoint().tensors()) {
      const Module* module = module_of(info.name);
      if (module == nullptr) {
        auto planned_info = carried_parts_->planned(info);
        if (!planned_info) continue;
        tensors.push_back(std::move(*planned_info));
        carried_.push_back(info);
      } else if (module->blocks() != nullptr) {
        tensors.push_back(info);
        tensors.back().blocks = module->blocks();
        tensors.back().bytes = module->recovered->matrix.rows *
                               module->blocks()->row_bytes(module->recovered->matrix.columns);
      } else if (planned.insert(module).second) {
        for (TensorInfo& part : to_->plan(module->name, module->shape, settings_))
          tensors.push_back(std::move(part));
      }
    }
    for (const TensorInfo& info : source_.checkpoint().tensors()) result_.input_bytes += info.bytes;
    for (const TensorInfo& info : tensors) result_.output_bytes += info.bytes;
    return tensors;
  }

  void write(const std::vector<TensorInfo>& tensors) {
    const OutputModel model = carried_parts_->output(tensors, 8192 + 1024 * modules_.size(), log_);
    const auto writer = to_->create(*to_, settings_, output_, model,
                                    {.replace = options_.replace,
                                     .max_shard_bytes = options_.max_shard_bytes,
                                     .max_part_bytes = options_.max_part_bytes});
    Json passport = read_passport(source_);
    const bool told = from_ != nullptr && passport.is_object() && passport.contains("modules");
    Json reports = Json::array();
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      throw_if_stopped();
      show(modules_[i].name, static_cast<double>(modules_.size() + i),
           3.0 * static_cast<double>(modules_.size()));
      if (modules_[i].blocks() != nullptr) {
        const std::string tensor = cat(modules_[i].name, ".weight");
        writer->add(tensor, recovered_blocks(*modules_[i].recovered));
        source_.checkpoint().drop(source_.checkpoint().at(tensor));
        continue;
      }
      const Codes codes = codes_of_module(modules_[i]);
      if (!told) reports.push_back(report(modules_[i].name, codes));
      const auto parts = to_->write(modules_[i].name, codes, settings_);
      if (!to_->opens()) require_all_there(modules_[i].name, codes, parts);
      for (const NamedBytes& tensor : parts) writer->add(tensor.info.name, tensor.bytes);
    }
    for (const TensorInfo& info : carried_) {
      throw_if_stopped();
      writer->add(info.name, carried_parts_->bytes(info));
    }
    if (!told) passport = new_passport(std::move(reports));
    result_.output = writer->path();
    writer->finish(moved(std::move(passport)));
  }

  // In place of compare(), where the output cannot be opened here.
  void require_all_there(const std::string& name, const Codes& codes,
                         std::span<const NamedBytes> parts) const {
    const Codes read = to_->unpack(codes, parts);
    if (read.codes == codes.codes && read.scales == codes.scales && read.zeros == codes.zeros)
      return;
    throw Error(ErrorKind::kNumeric, cat("module \"", name, "\": layout ", to_->name,
                                         " packed other codes than it got"));
  }

  static Json report(const std::string& name, const Codes& codes) {
    return {{"name", name},
            {"grid", codes.grid->name},
            {"bits", codes.bits()},
            {"group_size",
             codes.group_size >= codes.columns ? -1 : static_cast<std::int64_t>(codes.group_size)},
            {"codes_sha256", sha256(std::as_bytes(std::span(codes.codes)))}};
  }

  // For a source without one: it names the source's codes, nothing tells how they were chosen.
  static Json new_passport(Json reports) {
    return {{"schema", "nibble.passport/1"},
            {"version", NIBBLE_VERSION},
            {"calibration", nullptr},
            {"recipe", Json::object()},
            {"modules", std::move(reports)}};
  }

  // With what became of the codes.
  Json moved(Json passport) const {
    passport["tokenizer"] = carried_parts_->tokenizer_hashes();
    if (!passport.contains("base")) passport["base"] = Json::object();
    passport["recipe"]["layout"] = to_->name;
    passport["recipe"].erase("dialect");
    if (!settings_.dialect.empty()) passport["recipe"]["dialect"] = settings_.dialect;
    passport["converted"] = {{"from", result_.from}, {"files", carried_parts_->model_hashes()}};
    if (from_ == nullptr) passport["converted"]["grids"] = result_.grids;
    Json tensors = Json::array();
    for (const Module& module : modules_)
      if (module.blocks() != nullptr)
        tensors.push_back(
            {{"name", module.name}, {"type", module.blocks()->name}, {"weight_error", 0.0}});
    if (!tensors.empty()) passport["tensors"] = std::move(tensors);
    return passport;
  }

  // Reads the output as any program would, and compares every weight.
  void compare() {
    const auto count = static_cast<double>(modules_.size());
    compare_weights(source_, result_.output, [&](const std::string& name, double share) {
      show(name, (2 + share) * count, 3 * count);
    });
  }

  ModelSource source_;
  std::filesystem::path output_;
  ConvertOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  const Layout* from_ = nullptr;
  const Layout* to_ = nullptr;
  std::unique_ptr<StoredModules> stored_;
  Recovery recovery_;
  std::vector<Module> modules_;
  LayoutSettings settings_;
  std::optional<CarriedParts> carried_parts_;
  std::vector<TensorInfo> carried_;
  ConvertResult result_;
};

// Of blocks whose scales are narrow floats: other files have a factor of the whole matrix beside
// them.
std::string why_not_kept(const Codes& codes, const Storable& storable) {
  const std::string_view blocks = storable.blocks->name;
  if (storable.scale_type == DType::kF8E4M3)
    for (const float scale : codes.scales)
      if (storable.nearest_scale(scale) != scale)
        return cat("its scale ", scale, " is no 8-bit float, which is all that blocks of ", blocks,
                   " have; a factor of the whole matrix, by which scales elsewhere reach further, ",
                   "has no place in the file");
  return cat("its scales or zeros are none that ", blocks, " has");
}

}  // namespace

std::string loss_of(const Codes& codes, const Storable& storable) {
  if (!codes.group_index.empty() && !storable.group_index)
    return "its columns lie in their groups in another order than in the row";
  if (storable.blocks != nullptr) {
    if (storable.blocks->joint())
      return cat("scales of ", storable.blocks->name, " are stored together, by their own rules");
    return blocks_keep(*storable.blocks, codes) ? "" : why_not_kept(codes, storable);
  }
  for (const float scale : codes.scales)
    if (storable.together == nullptr && storable.nearest_scale(scale) != scale)
      return cat("scale ", scale, " is no ", name(storable.scale_type), " number");
  if (codes.grid->uniform())
    for (const float zero : codes.zeros) {
      if (!storable.free_zeros && zero != static_cast<float>(codes.grid->levels() / 2))
        return cat("zero ", zero, " is not the middle of the grid, the only one there is");
      if (!storable.integer_zeros && zero != storable.nearest_zero(zero))
        return cat("zero ", zero, " is no ", name(storable.zero_type), " number");
      if (storable.integer_zeros && zero != std::nearbyint(zero))
        return cat("zero ", zero, " is no integer");
      if (storable.integer_zeros &&
          (zero < storable.lowest_zero || zero >= static_cast<float>(codes.grid->levels())))
        return cat("zero ", zero, " is not among those that are stored");
    }
  if (storable.together == nullptr) return {};
  Codes rounded = codes;
  storable.together(rounded);
  return rounded.scales == codes.scales && rounded.zeros == codes.zeros
             ? ""
             : "its scales would be quantized once more";
}

namespace {

// Of a GGUF file: do its tensors go over without a look for grids? Those of one with blocks do, and
// of one that is cut in other parts or becomes an unquantized folder and nothing else.
bool stays_as_it_is(const std::filesystem::path& model, const std::filesystem::path& output,
                    const ConvertOptions& options) {
  const auto reader = open_checkpoint(model);
  const auto tensors = reader->tensors();
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const TensorInfo& info) { return info.blocks != nullptr; }))
    return true;
  if (!options.grid.empty() || !options.dialect.empty()) return false;
  return layouts::writing(output) != nullptr ? options.max_part_bytes != 0 : options.layout.empty();
}

}  // namespace

ConvertResult convert_model(const std::filesystem::path& model, const std::filesystem::path& output,
                            const ConvertOptions& options, const ProgressSink& progress,
                            const LogSink& log) {
  ConvertResult result = opens_as_gguf(model) && stays_as_it_is(model, output, options)
                             ? convert_gguf(model, output, options, progress, log)
                             : Conversion(model, output, options, progress, log).run();
  if (const std::string note = left_journal_note(output); log && !note.empty()) log(note);
  return result;
}

}  // namespace nibble
