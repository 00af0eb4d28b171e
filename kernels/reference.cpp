// The interpreter behind ReferenceBackend.
#include "kernels/reference.h"

#include "kernels/scalar.h"

namespace torchweld {
namespace {

class ReferenceKernel final : public Kernel {
 public:
  explicit ReferenceKernel(const KernelSpec& spec) : spec_(spec) {}

  void launch(const Geometry& geometry, void* const* pointers, const ParallelFor&) const override {
    std::vector<Scalar> values(spec_.body.size());
    std::vector<int64_t> at(geometry.sizes.size(), 0);
    for (int64_t n = 0; n < geometry.elements; ++n) {
      evaluate(geometry, pointers, at, &values);
      for (size_t d = at.size(); d-- > 0;) {
        if (++at[d] < geometry.sizes[d]) break;
        at[d] = 0;
      }
    }
  }

  const std::string& name() const override { return spec_.name; }
  int64_t code_bytes() const override { return 0; }
  double compile_us() const override { return 0; }

 private:
  static char* address(const Geometry& geometry, void* const* pointers, size_t operand, DType dtype,
                       const std::vector<int64_t>& at) {
    int64_t offset = 0;
    for (size_t d = 0; d < at.size(); ++d) offset += at[d] * geometry.strides[operand][d];
    return static_cast<char*>(pointers[operand]) + offset * size_of(dtype);
  }

  void evaluate(const Geometry& geometry, void* const* pointers, const std::vector<int64_t>& at,
                std::vector<Scalar>* values) const {
    std::vector<Scalar>& v = *values;
    const auto arg = [&](const Inst& inst, size_t i) {
      return inst.args[i] < 0 ? Scalar{} : v[static_cast<size_t>(inst.args[i])];
    };
    for (size_t i = 0; i < spec_.body.size(); ++i) {
      const Inst& inst = spec_.body[i];
      if (inst.prim == Prim::kLoad) {
        const size_t operand = static_cast<size_t>(inst.operand);
        const DType dtype = spec_.loads[operand].dtype;
        v[i] = load_scalar(dtype, address(geometry, pointers, operand, dtype, at));
        continue;
      }
      const int arity = arity_of(inst.prim);
      const DType arg_type =
          arity == 0 ? inst.type
                     : spec_.body[static_cast<size_t>(inst.args[arity > 1 ? 1 : 0])].type;
      v[i] = eval_scalar(inst, arg_type, arg(inst, 0), arg(inst, 1), arg(inst, 2));
    }
    for (size_t i = 0; i < spec_.stores.size(); ++i) {
      const StoreSpec& store = spec_.stores[i];
      const DType dtype = store.operand.dtype;
      Inst cast;
      cast.prim = Prim::kCast;
      cast.type = compute_type(dtype);
      const DType from = spec_.body[static_cast<size_t>(store.value)].type;
      Scalar value = v[static_cast<size_t>(store.value)];
      if (from != cast.type) value = eval_scalar(cast, from, value, {}, {});
      store_scalar(dtype, value, address(geometry, pointers, spec_.loads.size() + i, dtype, at));
    }
  }

  KernelSpec spec_;
};

}  // namespace

std::shared_ptr<const Kernel> ReferenceBackend::compile(const KernelSpec& spec, std::string*) {
  return std::make_shared<ReferenceKernel>(spec);
}

}  // namespace torchweld
