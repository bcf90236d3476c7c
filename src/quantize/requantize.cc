#include "quantize/requantize.h"

#include <set>

#include "base/text.h"
#include "model/gguf/names.h"
#include "nibble/error.h"

namespace nibble {
namespace {

const BlockFormat* blocks_of(const ModelSource& source, const std::string& tensor) {
  const TensorInfo* info = source.checkpoint().find(tensor);
  return info != nullptr ? info->blocks : nullptr;
}

// All matrices that a model has, as plans of what they are.
std::vector<PlannedTensor> matrices(const ModelSource& source) {
  std::vector<PlannedTensor> found;
  const auto add = [&](const std::string& module, std::string shown, GgufPart part,
                       std::size_t layer) {
    const TensorInfo* info = source.checkpoint().find(cat(module, ".weight"));
    if (info == nullptr || info->shape.size() != 2) return;
    found.push_back({info->name,
                     std::move(shown),
                     part,
                     layer,
                     {info->blocks, info->dtype},
                     static_cast<std::size_t>(info->shape[0]),
                     static_cast<std::size_t>(info->shape[1])});
  };
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer)
    for (std::size_t role = 0; role < kRoles; ++role) {
      const std::string module = source.module_path(layer, static_cast<Role>(role));
      add(module, module, gguf_part_of(static_cast<Role>(role)), layer);
    }
  add(source.names().embedding(), "embed_tokens", GgufPart::kEmbedding, 0);
  add(source.names().head(), "lm_head", GgufPart::kHead, 0);
  return found;
}

class Settler {
 public:
  Settler(const ModelSource& source, const QuantizeOptions& options, Recipe& recipe)
      : source_(source), options_(options), recipe_(recipe) {}

  void run() {
    // A transform changes the weights themselves: none of them stays as it is.
    std::erase_if(recipe_.modules, [&](const PlannedModule& module) {
      return recipe_.transforms.empty() &&
             settled(cat(module.name, ".weight"), module.storable.blocks);
    });
    std::erase_if(recipe_.tensors, [&](const PlannedTensor& tensor) {
      return settled(tensor.name, tensor.type.blocks);
    });
    if (again_ > 0 && !options_.allow_requantize) refuse();
    if (again_ > 0)
      recipe_.notes.push_back(
          cat(again_, again_ == 1 ? " tensor is" : " tensors are", " quantized a second time (",
              first_, "): the losses of both times add up, and the first cannot be undone"));
    if (same_ > 0)
      recipe_.notes.push_back(cat(same_, same_ == 1 ? " tensor has" : " tensors have",
                                  " the wanted type already: copied as it is"));
    if (!recipe_.transforms.empty()) refuse_transformed();
    if (recipe_.modules.empty() && recipe_.tensors.empty())
      throw Error(
          ErrorKind::kInvalidArgument,
          cat(source_.path().string(), ": all that would be quantized has its type already"),
          "choose another --type, or copy the file");
    if (recipe_.layout->suffix.empty()) decode_rest();
  }

 private:
  // Is it so already? Counts what is not.
  bool settled(const std::string& tensor, const BlockFormat* wanted) {
    const BlockFormat* own = blocks_of(source_, tensor);
    if (own == nullptr) return false;
    if (own == wanted) {
      ++same_;
      return true;
    }
    if (again_++ == 0) {
      const std::string name = gguf_tensor_name(tensor, source_.spec().output_norms);
      first_ = cat(name.empty() ? tensor : name, ": ", own->name);
    }
    return false;
  }

  [[noreturn]] void refuse() const {
    throw Error(ErrorKind::kUnsupported,
                cat(source_.path().string(), ": ", again_,
                    again_ == 1 ? " tensor is" : " tensors are", " quantized already (", first_,
                    ")\n  why: rounding what was rounded before loses more than either time alone"),
                "start from the model's F16, BF16 or F32 file, or add --allow-requantize");
  }

  void refuse_transformed() const {
    for (const PlannedTensor& tensor : kept_blocks(source_, recipe_))
      if (tensor.part != GgufPart::kEmbedding && tensor.part != GgufPart::kHead)
        throw Error(ErrorKind::kInvalidArgument,
                    cat(tensor.module, " stays as blocks of ", tensor.type.blocks->name,
                        ", which --transform cannot change"),
                    "leave --transform out, or quantize that one, too");
  }

  // What no one quantizes has to be plain numbers in a folder.
  void decode_rest() {
    std::size_t count = 0;
    for (PlannedTensor& tensor : kept_blocks(source_, recipe_)) {
      tensor.type = {nullptr, DType::kF16};
      recipe_.tensors.push_back(std::move(tensor));
      ++count;
    }
    if (count > 0)
      recipe_.notes.push_back(cat(count, count == 1 ? " tensor" : " tensors",
                                  " of blocks that nothing quantizes: decoded to F16"));
  }

  const ModelSource& source_;
  const QuantizeOptions& options_;
  Recipe& recipe_;
  std::size_t same_ = 0, again_ = 0;
  std::string first_;
};

}  // namespace

void settle_blocks(const ModelSource& source, const QuantizeOptions& options, Recipe& recipe) {
  if (source.checkpoint().gguf() != nullptr) Settler(source, options, recipe).run();
}

std::vector<PlannedTensor> kept_blocks(const ModelSource& source, const Recipe& recipe) {
  std::set<std::string> planned;
  for (const PlannedModule& module : recipe.modules) planned.insert(cat(module.name, ".weight"));
  std::vector<PlannedTensor> kept = matrices(source);
  std::erase_if(kept, [&](const PlannedTensor& tensor) {
    return tensor.type.blocks == nullptr || planned.contains(tensor.name) ||
           recipe.tensor(tensor.name) != nullptr;
  });
  return kept;
}

}  // namespace nibble
