// Continues a prompt, piece by piece: generate MODEL PROMPT
#include <nibble/nibble.h>

#include <cstdio>

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: generate MODEL PROMPT\n");
    return 2;
  }
  try {
    const nibble::Model model = nibble::Model::open(arguments[1]);
    const nibble::ModelFacts& facts = model.facts();
    std::fprintf(stderr, "%s, %zu layers, %s, %.1f MB read for each token\n",
                 facts.architecture.c_str(), facts.layers, facts.weights.c_str(),
                 static_cast<double>(facts.weight_bytes) / 1e6);
    const nibble::GeneratedText written =
        model.generate(arguments[2], {.max_tokens = 64}, [](std::string_view piece) {
          std::fwrite(piece.data(), 1, piece.size(), stdout);
          std::fflush(stdout);
        });
    std::printf("\n");
    std::fprintf(stderr, "%zu tokens in %.2f s\n", written.ids.size(), written.generate_seconds);
    return 0;
  } catch (const nibble::Error& error) {  // what() has the reason and, where there is one, the fix
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
