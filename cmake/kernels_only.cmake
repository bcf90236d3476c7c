# The kernels and their tests for a processor whose libraries are not installed: fmt's headers and
# GoogleTest's sources serve every processor.
find_package(Threads REQUIRED)
find_path(FMT_INCLUDE fmt/format.h REQUIRED)
find_path(GTEST_SOURCE src/gtest-all.cc PATHS /usr/src/googletest/googletest REQUIRED)

# A folder of its own: beside fmt's headers lie those of the building machine's C library.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${FMT_INCLUDE}/fmt ${PROJECT_BINARY_DIR}/include/fmt SYMBOLIC)

# Of base, what the kernels use.
add_library(nibble_base STATIC src/base/parallel.cc src/base/text.cc)
target_include_directories(nibble_base SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/include)
target_compile_definitions(nibble_base PUBLIC FMT_HEADER_ONLY)
target_link_libraries(nibble_base PUBLIC nibble_options Threads::Threads)
nibble_module(tensor DEPENDS base)
nibble_module(formats DEPENDS tensor)
nibble_kernels(DEPENDS formats)

enable_testing()
include(GoogleTest)
add_library(nibble_test_support STATIC ${GTEST_SOURCE}/src/gtest-all.cc
  ${GTEST_SOURCE}/src/gtest_main.cc)
target_include_directories(nibble_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_include_directories(nibble_test_support SYSTEM PUBLIC ${GTEST_SOURCE}/include
  PRIVATE ${GTEST_SOURCE})
target_link_libraries(nibble_test_support PUBLIC Threads::Threads)
nibble_test(kernels DEPENDS kernels)
if(CMAKE_CROSSCOMPILING AND CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  # A CPU without the dot product: an illegal instruction where the kernels are not left alone.
  add_test(NAME kernels.older_cpu COMMAND test_kernels)
  set_tests_properties(kernels.older_cpu PROPERTIES ENVIRONMENT QEMU_CPU=cortex-a72)
endif()
