#include "quantize/convert/recover_modules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/progress.h"
#include "base/text.h"
#include "checkpoint/gguf_type.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "quantize/recovery/recover_blocks.h"
#include "quantize/recovery/recover_codes.h"

namespace nibble {
namespace {

using Forms = std::vector<GridForm>;

// How far a dialect came.
struct Attempt {
  std::size_t fitting = 0;         // layers
  std::string first;               // the first layer that does not fit
  std::optional<Misfit> at;        // where the best of its forms ends; nothing: at the sample
  std::vector<std::string> tried;  // forms of that layer

  void count(const std::string& name, bool fits, const Forms& forms, std::optional<Misfit> place) {
    if (fits) {
      ++fitting;
    } else if (first.empty()) {
      first = name;
      at = place;
      for (const GridForm& form : forms) tried.push_back(form.text());
    }
  }
};

// A dialect whose forms fit a few rows of all layers.
struct Candidate {
  std::string dialect;
  DType type = DType::kBF16;  // of the layout's scales
  std::vector<Forms> forms;   // of each matrix
  double bits = 0;            // of all of them together
};

class Recoverer {
 public:
  Recoverer(const ModelSource& source, const Layout& layout, const GridHint& hint,
            const std::function<void(const std::string&, double)>& progress)
      : source_(source), layout_(layout), hint_(hint), progress_(progress) {}

  Recovery run() {
    check_hint();
    find_matrices();
    // Scales in the type of the model first, as quantizers leave them.
    std::vector<DType> types = {found_.modules.front().matrix.type};
    for (const DType type : {DType::kF16, DType::kF32})
      if (type != types.front() && !writes_blocks(layout_)) types.push_back(type);
    std::vector<Candidate> candidates;
    for (const std::string& dialect : dialects())
      for (const DType type : types) look_at(dialect, type, candidates);
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.bits < b.bits; });
    for (const Candidate& candidate : candidates)
      if (fits(candidate)) return finished();
    refuse();
  }

 private:
  // Blocks are of any type, whatever the dialect.
  std::vector<std::string> dialects() const {
    if (writes_blocks(layout_) || layout_.dialects.empty()) return {""};
    if (!hint_.dialect.empty()) return {layouts::dialect_of(layout_, hint_.dialect)};
    return {layout_.dialects.begin(), layout_.dialects.end()};
  }

  void check_hint() const {
    if (!hint_.grid.empty()) grids::named(hint_.grid);
    if (hint_.dialect.empty()) return;
    if (!writes_blocks(layout_)) {
      layouts::dialect_of(layout_, hint_.dialect);
      return;
    }
    std::vector<std::string> known;
    for (const BlockFormat* format : block_formats::all()) {
      if (!recoverable(*format)) continue;
      if (gguf_named_alike(format->name, hint_.dialect)) return;
      known.emplace_back(format->name);
    }
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("--type ", hint_.dialect, ": unquantized weights are found on other types only"),
        cat("one of: ", join(known, ", "), "; nibble quantize makes the others"));
  }

  // Rows of q and k lie in another order in some GGUF files.
  std::shared_ptr<const std::vector<std::uint32_t>> row_order(Role role, std::size_t rows) const {
    const bool rotated = role == Role::kQuery || role == Role::kKey;
    if (!rotated || !source_.spec().gguf_pairs_rows || source_.checkpoint().gguf() == nullptr)
      return nullptr;
    return std::make_shared<const std::vector<std::uint32_t>>(
        rows_in_pairs(rows, source_.hyper().head_dim));
  }

  // Is it one to look at? A layer has to be.
  bool add(const std::string& name, std::optional<Role> layer) {
    const TensorInfo* info = source_.checkpoint().find(cat(name, ".weight"));
    if (info == nullptr || info->shape.size() != 2) return false;
    if (info->blocks != nullptr ||
        (info->dtype != DType::kF16 && info->dtype != DType::kBF16 && info->dtype != DType::kF32)) {
      if (!layer) return false;
      throw Error(ErrorKind::kUnsupported,
                  cat("module \"", name, "\" is ",
                      info->blocks != nullptr ? info->blocks->name : nibble::name(info->dtype),
                      ": grids are found in F16, BF16 and F32 weights"));
    }
    const auto rows = static_cast<std::size_t>(info->shape[0]);
    DenseMatrix matrix{source_.checkpoint().bytes(*info), info->dtype, rows,
                       static_cast<std::size_t>(info->shape[1])};
    if (layer) matrix.row_of = row_order(*layer, rows);
    found_.modules.push_back({name, std::move(matrix), {}});
    return true;
  }

  void find_matrices() {
    std::set<std::string> seen;
    for (std::size_t layer = 0; layer < source_.hyper().layers; ++layer)
      for (std::size_t i = 0; i < kRoles; ++i)
        if (const std::string name = source_.module_path(layer, static_cast<Role>(i));
            seen.insert(name).second)
          add(name, static_cast<Role>(i));
    found_.layers = found_.modules.size();
    if (found_.layers == 0)
      throw Error(ErrorKind::kUnsupported,
                  cat(source_.path().string(), ": its layers have no matrices of their own"));
    if (!writes_blocks(layout_)) return;  // the others leave embedding and head as they are
    for (const std::string& name : {source_.names().embedding(), source_.names().head()})
      if (seen.insert(name).second) add(name, std::nullopt);
  }

  // Looks for forms of each matrix in a few rows.
  void look_at(const std::string& dialect, DType type, std::vector<Candidate>& candidates) {
    settings_.dialect = dialect;
    settings_.dtype = type;
    Candidate own{dialect, type, {}, 0};
    Attempt attempt;
    for (std::size_t i = 0; i < found_.modules.size(); ++i) {
      throw_if_stopped();
      const RecoveredModule& module = found_.modules[i];
      progress_(module.name, 0);
      const Forms all = grid_forms(layout_, settings_, hint_, module.matrix);
      Forms left = all;
      std::erase_if(left, [&](const GridForm& form) {
        return !sample_fits(layout_, form, module.matrix, settings_);
      });
      if (i < found_.layers) attempt.count(module.name, !left.empty(), all, std::nullopt);
      if (!left.empty())
        own.bits += left.front().bits_per_weight * static_cast<double>(module.matrix.rows) *
                    static_cast<double>(module.matrix.columns);
      own.forms.push_back(std::move(left));
    }
    if (attempt.fitting == found_.layers)
      candidates.push_back(std::move(own));
    else
      remember(attempt);
  }

  bool fits(const Candidate& candidate) {
    settings_.dialect = found_.dialect = candidate.dialect;
    settings_.dtype = found_.dtype = candidate.type;
    return all_fit(candidate.forms) && (can_be_written() || all_alike(candidate.forms));
  }

  bool remember(const Attempt& attempt) {
    // One that had forms to look for says more than one without.
    if (best_.first.empty() || attempt.fitting > best_.fitting ||
        (best_.tried.empty() && attempt.fitting == best_.fitting))
      best_ = attempt;
    return false;
  }

  bool all_fit(const std::vector<Forms>& forms) {
    Attempt attempt;
    settings_.symmetric = true;
    for (std::size_t i = 0; i < found_.modules.size(); ++i) {
      throw_if_stopped();
      RecoveredModule& module = found_.modules[i];
      progress_(module.name, static_cast<double>(i) / static_cast<double>(found_.modules.size()));
      Misfit farthest;
      module.form = {};
      for (const GridForm& form : forms[i]) {
        const auto place = misfit(layout_, form, module.matrix, settings_);
        if (!place) {
          module.form = form;
          break;
        }
        if (std::pair(place->row, place->column) > std::pair(farthest.row, farthest.column))
          farthest = *place;
      }
      source_.checkpoint().drop(source_.checkpoint().at(cat(module.name, ".weight")));
      if (i < found_.layers) attempt.count(module.name, has_form(module), forms[i], farthest);
    }
    return attempt.fitting == found_.layers || remember(attempt);
  }

  static bool has_form(const RecoveredModule& module) {
    return module.form.blocks != nullptr || module.form.settings.grid != nullptr;
  }

  // Do readers of the layout take such modules beside each other?
  bool can_be_written() {
    if (writes_blocks(layout_)) return true;
    settings_.base = found_.modules.front().form.settings;
    try {
      for (const RecoveredModule& module : found_.modules)
        layout_.plan(module.name, module.shape(), settings_);
      return true;
    } catch (const Error& error) {
      unlike_ = error.what();
      return false;
    }
  }

  bool all_alike(const std::vector<Forms>& forms) {
    for (const GridForm& form : forms.front()) {
      auto alike = forms;
      for (Forms& own : alike)
        std::erase_if(own, [&](const GridForm& f) { return f.settings != form.settings; });
      if (std::none_of(alike.begin(), alike.end(), [](const Forms& f) { return f.empty(); }) &&
          all_fit(alike) && can_be_written())
        return true;
    }
    return false;
  }

  Recovery finished() {
    std::erase_if(found_.modules, [](const RecoveredModule& module) { return !has_form(module); });
    found_.symmetric = settings_.symmetric;
    if (writes_blocks(layout_)) {
      std::map<std::string_view, std::size_t> counts;
      std::size_t most = 0;
      for (const RecoveredModule& module : found_.modules)
        if (const std::size_t count = ++counts[module.form.blocks->name]; count > most) {
          most = count;
          found_.dialect = module.form.blocks->name;
        }
    }
    return std::move(found_);
  }

  [[noreturn]] void refuse() const {
    const std::string place = source_.path().string();
    const std::string fix = cat(
        "nibble quantize rounds weights to a grid, or writes a GGUF file without one (--type "
        "BF16); convert only finds weights that lie on one",
        source_.checkpoint().gguf() == nullptr
            ? ""
            : ", or with --split-max-size takes a GGUF file over as it is, in parts of that size");
    if (best_.first.empty())
      throw Error(ErrorKind::kUnsupported,
                  cat(place, ": its layers lie on grids, but not on one for all: ", unlike_), fix);
    const std::string forms = best_.tried.empty()
                                  ? cat("none that layout ", layout_.name,
                                        " has divides its rows, or the options leave none")
                                  : cat("looked for: ", join(best_.tried, ", "));
    throw Error(
        ErrorKind::kUnsupported,
        cat(place, ": its weights are not quantized, and module \"", best_.first,
            "\" lies on no grid of layout ", layout_.name,
            best_.at ? cat(": the best ends at row ", best_.at->row, ", column ", best_.at->column)
                     : "",
            "\n  ", best_.at ? "" : "by a look at a few rows ", best_.fitting, " of ",
            found_.layers, " layers lie on one; ", forms),
        fix);
  }

  const ModelSource& source_;
  const Layout& layout_;
  const GridHint& hint_;
  const std::function<void(const std::string&, double)>& progress_;
  Recovery found_;
  LayoutSettings settings_;
  Attempt best_;
  std::string unlike_;
};

[[noreturn]] void refuse_changed(const std::string& module) {
  throw Error(ErrorKind::kCorruptFile,
              cat("module \"", module, "\" is not what it was when its grid was found"),
              "let nothing write to the model while it is read");
}

}  // namespace

Recovery recover_modules(
    const ModelSource& source, const Layout& layout, const GridHint& hint,
    const std::function<void(const std::string& name, double share)>& progress) {
  return Recoverer(source, layout, hint, progress).run();
}

Codes recovered_codes(const RecoveredModule& module, const Layout& layout,
                      const LayoutSettings& settings) {
  Codes codes;
  if (recover_codes(module.matrix, module.shape(), layout.storable(module.shape(), settings),
                    codes))
    refuse_changed(module.name);
  return codes;
}

std::vector<std::byte> recovered_blocks(const RecoveredModule& module) {
  std::vector<std::byte> blocks;
  if (recover_blocks(*module.form.blocks, module.matrix, blocks)) refuse_changed(module.name);
  return blocks;
}

}  // namespace nibble
