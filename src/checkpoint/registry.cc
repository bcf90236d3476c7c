// Collects list.def.
#include "checkpoint/container.h"

namespace nibble::containers {

#define CONTAINER(name) extern const Container name;
#include "checkpoint/list.def"
#undef CONTAINER

std::span<const Container* const> all() {
  static const Container* const list[] = {
#define CONTAINER(name) &name,
#include "checkpoint/list.def"
#undef CONTAINER
  };
  return list;
}

}  // namespace nibble::containers
