#include "train/teacher.h"

#include <algorithm>

#include "base/text.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble {

void require_same_tokens(const ModelSource& student, const ModelSource& teacher) {
  constexpr std::string_view kFix = "take a teacher with the same tokenizer";
  if (teacher.hyper().vocabulary != student.hyper().vocabulary)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the teacher has ", teacher.hyper().vocabulary, " tokens, the model ",
                    student.hyper().vocabulary),
                kFix);
  if (teacher.path() == student.path()) return;
  const auto own = open_tokenizer(student.path()), other = open_tokenizer(teacher.path());
  const int count = std::max(own->vocabulary_size(), other->vocabulary_size());
  for (std::int32_t id = 0; id < count; ++id)
    if (const std::string a = own->token_text(id), b = other->token_text(id); a != b)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("token ", id, " is \"", b, "\" for the teacher and \"", a, "\" for the model"), kFix);
}

}  // namespace nibble
