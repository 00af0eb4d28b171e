# Installs into an empty prefix, configures examples/minimal with nothing but that prefix, builds and runs it.
set(prefix "${build}/package/prefix")
set(project "${build}/package/minimal")
file(REMOVE_RECURSE "${build}/package")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\nfailed:\n${output}")
  endif()
  message("${output}")
endfunction()

run(${CMAKE_COMMAND} --install "${build}" --prefix "${prefix}")
run(${CMAKE_COMMAND} -S "${source}/examples/minimal" -B "${project}" -G "${generator}"
  -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_BUILD_TYPE=Release -D "CMAKE_PREFIX_PATH=${prefix}")
run(${CMAKE_COMMAND} --build "${project}")
run("${project}/minimal" "${archive}")
run("${prefix}/bin/torchweld" --version)
