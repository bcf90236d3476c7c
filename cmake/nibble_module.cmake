# One static library for each folder of src/, its rules and its instruction sets.

add_library(nibble_options INTERFACE)
target_compile_options(nibble_options INTERFACE -Wall -Wextra -Wshadow -Wno-psabi)
# What Clang sees and GCC 12 does not; `./dev warnings` asks it.
target_compile_options(nibble_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:
  -Wimplicit-fallthrough -Wnon-virtual-dtor -Wextra-semi -Wundef -Wunused-member-function
  -Wunreachable-code-loop-increment
  # libstdc++ 12 calls a function that it deprecates, in std::stable_sort.
  -Wno-deprecated-declarations>)
# GCC 12 sees overlapping copies in std::string's own functions, wherever they are inlined (its bug
# 105651, mended in 13).
target_compile_options(nibble_options INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_compile_definitions(nibble_options INTERFACE NIBBLE_VERSION="${PROJECT_VERSION}"
  $<$<CONFIG:Debug>:NIBBLE_CHECKED=1>)
target_include_directories(nibble_options INTERFACE ${PROJECT_SOURCE_DIR}/include
  ${PROJECT_SOURCE_DIR}/src)
if(NIBBLE_SANITIZE)
  target_compile_options(nibble_options INTERFACE -fsanitize=${NIBBLE_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(nibble_options INTERFACE -fsanitize=${NIBBLE_SANITIZE})
endif()

# nibble_module(NAME [DEPENDS modules…] [LINK libraries…]): src/NAME/**.cc becomes nibble_NAME.
function(nibble_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    add_library(nibble_${name} INTERFACE)
    set(visibility INTERFACE)
  else()
    add_library(nibble_${name} STATIC ${sources})
    set(visibility PUBLIC)
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND nibble_)
  target_link_libraries(nibble_${name} ${visibility} nibble_options ${ARG_DEPENDS} ${ARG_LINK})
endfunction()

# src/kernels: each instruction set's folder is compiled with its own flags, nothing else is, and
# only where the processor can have it.
set(NIBBLE_AVX2_FLAGS -mavx2 -mfma -mf16c)
set(NIBBLE_AVX512_FLAGS -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC 12 takes the undefined start value inside its own intrinsics for a mistake of ours.
  list(APPEND NIBBLE_AVX512_FLAGS -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
set(NIBBLE_AMX_FLAGS ${NIBBLE_AVX512_FLAGS} -mavx512bf16 -mprfchw -mamx-tile -mamx-bf16
  -mamx-int8)
set(NIBBLE_NEON_FLAGS -march=armv8.2-a+dotprod)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(NIBBLE_INSTRUCTION_SETS avx2 avx512 amx)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(NIBBLE_INSTRUCTION_SETS neon)
endif()
function(nibble_kernels)
  nibble_module(kernels ${ARGN})
  foreach(isa avx2 avx512 amx neon)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernels/${isa}/*.cc)
    string(TOUPPER ${isa} upper)
    if(isa IN_LIST NIBBLE_INSTRUCTION_SETS)
      set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "${NIBBLE_${upper}_FLAGS}")
    else()
      set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY ON)  # not compiled
    endif()
  endforeach()
endfunction()

# The command-line program: src/cli/main.cc; the rest of src/cli is a module that tests link.
function(nibble_program name)
  nibble_module(cli ${ARGN})
  set(main ${PROJECT_SOURCE_DIR}/src/cli/main.cc)
  get_target_property(sources nibble_cli SOURCES)
  list(REMOVE_ITEM sources ${main})
  set_target_properties(nibble_cli PROPERTIES SOURCES "${sources}")
  add_executable(${name} ${main})
  target_link_libraries(${name} PRIVATE nibble_cli)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()

# nibble_test(FOLDER [LINK libraries…]): tests/FOLDER/**_test.cc becomes test_FOLDER. Its tests have the
# label FOLDER, those with Slow in their name the label slow instead: a list of labels would lose all
# but its first.
function(nibble_test name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  list(TRANSFORM ARG_DEPENDS PREPEND nibble_)
  target_link_libraries(test_${name} PRIVATE nibble_test_support ${ARG_DEPENDS} ${ARG_LINK})
  # What is tested is optimised, what tests it need not be: most of its compile time would go there.
  # Under a sanitizer that is half of the whole build.
  if(NIBBLE_SANITIZE)
    target_compile_options(test_${name} PRIVATE -O0)
  else()
    target_compile_options(test_${name} PRIVATE -O1)
  endif()
  # A loaded machine needs more than CMake's five seconds to list the tests.
  set(common DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 TEST_PREFIX ${name}. NO_PRETTY_VALUES)
  gtest_discover_tests(test_${name} ${common} TEST_FILTER "-*Slow*" PROPERTIES LABELS ${name})
  gtest_discover_tests(test_${name} ${common} TEST_FILTER "*Slow*" PROPERTIES LABELS slow)
endfunction()
