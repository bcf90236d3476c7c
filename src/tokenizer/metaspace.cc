// Old and new spelling of the same settings.
#include "tokenizer/metaspace.h"

#include "tokenizer/component.h"

namespace nibble::tokenizer {

MetaspaceSettings read_metaspace(const Json& settings) {
  MetaspaceSettings read;
  read.replacement = required_character(settings, "replacement");
  const bool add = json_bool(settings, "add_prefix_space", true);
  const std::string scheme = json_string(settings, "prepend_scheme", add ? "always" : "never");
  if (scheme == "always")
    read.prepend = PrependScheme::kAlways;
  else if (scheme == "first")
    read.prepend = PrependScheme::kFirst;
  else if (scheme == "never")
    read.prepend = PrependScheme::kNever;
  else
    throw Error(ErrorKind::kCorruptFile, cat("\"prepend_scheme\" is \"", scheme.substr(0, 40),
                                             "\"; expected always, first or never"));
  if (!add && read.prepend != PrependScheme::kNever)
    throw Error(ErrorKind::kCorruptFile,
                cat("\"add_prefix_space\" is false, but \"prepend_scheme\" is \"", scheme, "\""));
  return read;
}

}  // namespace nibble::tokenizer
