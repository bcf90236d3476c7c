#include "model/onnx/genai_config.h"

#include <nlohmann/json.hpp>

namespace nibble {

std::string genai_config(const ModelSource& source) {
  const HyperParams& hyper = source.hyper();
  const ModelSpec& spec = source.spec();
  const Json inputs = {{"input_ids", "input_ids"},
                       {"attention_mask", "attention_mask"},
                       {"past_key_names", "past_key_values.%d.key"},
                       {"past_value_names", "past_key_values.%d.value"}};
  const Json outputs = {{"logits", "logits"},
                        {"present_key_names", "present.%d.key"},
                        {"present_value_names", "present.%d.value"}};
  Json model = {{"type", spec.hf_type.empty() ? spec.name : spec.hf_type},
                {"context_length", hyper.context},
                {"vocab_size", hyper.vocabulary},
                {"decoder",
                 {{"filename", "model.onnx"},
                  {"session_options", {{"provider_options", Json::array()}}},
                  {"hidden_size", hyper.hidden},
                  {"num_hidden_layers", hyper.layers},
                  {"num_attention_heads", hyper.heads},
                  {"num_key_value_heads", hyper.kv_heads},
                  {"head_size", hyper.head_dim},
                  {"inputs", inputs},
                  {"outputs", outputs}}}};
  if (hyper.bos) model["bos_token_id"] = *hyper.bos;
  // The program refuses a model without; padding is never looked at.
  const std::int32_t last =
      !hyper.eos.empty() ? hyper.eos.front() : static_cast<std::int32_t>(hyper.vocabulary - 1);
  model["eos_token_id"] = hyper.eos.size() > 1 ? Json(hyper.eos) : Json(last);
  model["pad_token_id"] = last;
  const Json search = {{"do_sample", false}, {"max_length", hyper.context}};
  return Json{{"model", std::move(model)}, {"search", search}}.dump(2) + "\n";
}

}  // namespace nibble
