#include "trainer/torch/ops.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace freshet {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr std::int64_t kHeadChunkRows = 512;

at::Tensor product(const at::Tensor& a, const at::Tensor& b,
                   Products products) {  // [M,K] [K,N] -> [M,N]
  if (products == Products::kF32) return at::mm(a, b);
  return at::mm(a.to(at::kBFloat16), b.to(at::kBFloat16)).to(at::kFloat);
}

// Splits `rows` over the threads, at least `grain` at a time.
template <class Each>
void over_rows(std::int64_t rows, std::int64_t grain, const Each& each) {
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) { each(begin, end); });
}

struct Linear : Function<Linear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& w,
                            bool bf16) {
    context->save_for_backward({w.requires_grad() ? x : at::Tensor(), w});
    context->saved_data["bf16"] = bf16;
    context->saved_data["need_x"] = x.requires_grad();
    return product(x, w.t(), bf16 ? Products::kBf16 : Products::kF32);  // [N,O]
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1];
    const Products products =
        context->saved_data["bf16"].toBool() ? Products::kBf16 : Products::kF32;
    const at::Tensor dy = gradients[0].contiguous();  // [N,O]
    const at::Tensor dx =
        context->saved_data["need_x"].toBool() ? product(dy, w, products) : at::Tensor();  // [N,I]
    const at::Tensor dw = x.defined() ? product(dy.t(), x, products) : at::Tensor();       // [O,I]
    return {dx, dw, at::Tensor()};
  }
};

struct RmsNorm : Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& w,
                            double eps) {
    at::Tensor y = at::empty_like(x), inverse = at::empty({x.size(0)}, x.options());
    const int columns = static_cast<int>(x.size(1));
    over_rows(x.size(0), 256, [&](std::int64_t begin, std::int64_t end) {
      kernels::rms_norm({end - begin, columns}, static_cast<float>(eps),
                        x.data_ptr<float>() + begin * columns, w.data_ptr<float>(),
                        y.data_ptr<float>() + begin * columns, inverse.data_ptr<float>() + begin);
    });
    context->save_for_backward({x, w, inverse});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1], &inverse = saved[2];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::empty_like(x), dw;
    const int columns = static_cast<int>(x.size(1));
    if (w.requires_grad()) dw = at::zeros_like(w);
    const std::int64_t grain =
        dw.defined() ? x.size(0) : 256;  // dw is one sum: no two threads on it
    over_rows(x.size(0), grain, [&](std::int64_t begin, std::int64_t end) {
      kernels::rms_norm_backward({end - begin, columns}, dy.data_ptr<float>() + begin * columns,
                                 x.data_ptr<float>() + begin * columns, w.data_ptr<float>(),
                                 inverse.data_ptr<float>() + begin,
                                 dx.data_ptr<float>() + begin * columns,
                                 dw.defined() ? dw.data_ptr<float>() : nullptr);
    });
    return {dx, dw, at::Tensor()};
  }
};

struct Swiglu : Function<Swiglu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate,
                            const at::Tensor& up) {
    at::Tensor out = at::empty_like(gate);
    over_rows(gate.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
      kernels::swiglu(end - begin, gate.data_ptr<float>() + begin, up.data_ptr<float>() + begin,
                      out.data_ptr<float>() + begin);
    });
    context->save_for_backward({gate, up});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    const at::Tensor dout = gradients[0].contiguous();
    at::Tensor dgate = at::empty_like(gate), dup = at::empty_like(up);
    over_rows(gate.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
      kernels::swiglu_backward(end - begin, dout.data_ptr<float>() + begin,
                               gate.data_ptr<float>() + begin, up.data_ptr<float>() + begin,
                               dgate.data_ptr<float>() + begin, dup.data_ptr<float>() + begin);
    });
    return {dgate, dup};
  }
};

// Calls each(sequence, kv head, scratch) for all of them.
template <class Each>
void over_heads(std::int64_t sequences, const kernels::AttentionShape& shape, const Each& each) {
  at::parallel_for(0, sequences * shape.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(kernels::attention_scratch(shape)));
    for (std::int64_t i = begin; i < end; ++i)
      each(i / shape.kv_heads, static_cast<int>(i % shape.kv_heads), scratch.data());
  });
}

void rotate_all(at::Tensor& x, int heads, const kernels::AttentionShape& shape,
                const RotaryTable& rotary, bool inverse) {
  const std::int64_t sequence = static_cast<std::int64_t>(shape.time) * heads * shape.head_dim;
  over_rows(x.numel() / sequence, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      kernels::rotate(shape.time, heads, shape.head_dim, nullptr, rotary.cosine.data_ptr<float>(),
                      rotary.sine.data_ptr<float>(), inverse, x.data_ptr<float>() + i * sequence);
  });
}

struct Attention : Function<Attention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const at::Tensor& cosine, const at::Tensor& sine,
                            std::int64_t time, std::int64_t heads, std::int64_t kv_heads) {
    const kernels::AttentionShape shape{static_cast<int>(time), static_cast<int>(heads),
                                        static_cast<int>(kv_heads),
                                        static_cast<int>(q.size(1) / heads)};
    const RotaryTable rotary{cosine, sine};
    at::Tensor turned_q = q.clone(), turned_k = k.clone();
    rotate_all(turned_q, shape.heads, shape, rotary, false);
    rotate_all(turned_k, shape.kv_heads, shape, rotary, false);
    const std::int64_t sequences = q.size(0) / time;
    at::Tensor out = at::empty_like(q), log_sum = at::empty({sequences, heads, time}, q.options());
    over_heads(sequences, shape, [&](std::int64_t s, int g, float* scratch) {
      kernels::attention(shape, g, turned_q.data_ptr<float>() + s * time * q.size(1),
                         turned_k.data_ptr<float>() + s * time * k.size(1),
                         v.data_ptr<float>() + s * time * k.size(1),
                         out.data_ptr<float>() + s * time * q.size(1),
                         log_sum.data_ptr<float>() + s * heads * time, scratch);
    });
    context->save_for_backward({turned_q, turned_k, v, out, log_sum, cosine, sine});
    context->saved_data["time"] = time;
    context->saved_data["heads"] = heads;
    context->saved_data["kv_heads"] = kv_heads;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3],
                     &log_sum = saved[4];
    const std::int64_t time = context->saved_data["time"].toInt(),
                       heads = context->saved_data["heads"].toInt();
    const kernels::AttentionShape shape{static_cast<int>(time), static_cast<int>(heads),
                                        static_cast<int>(context->saved_data["kv_heads"].toInt()),
                                        static_cast<int>(q.size(1) / heads)};
    const RotaryTable rotary{saved[5], saved[6]};
    const at::Tensor dout = gradients[0].contiguous();
    at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
    over_heads(q.size(0) / time, shape, [&](std::int64_t s, int g, float* scratch) {
      const std::int64_t at_q = s * time * q.size(1), at_k = s * time * k.size(1);
      kernels::attention_backward(
          shape, g, dout.data_ptr<float>() + at_q, q.data_ptr<float>() + at_q,
          k.data_ptr<float>() + at_k, v.data_ptr<float>() + at_k, out.data_ptr<float>() + at_q,
          log_sum.data_ptr<float>() + s * heads * time, dq.data_ptr<float>() + at_q,
          dk.data_ptr<float>() + at_k, dv.data_ptr<float>() + at_k, scratch);
    });
    rotate_all(dq, shape.heads, shape, rotary, true);
    rotate_all(dk, shape.kv_heads, shape, rotary, true);
    return {dq, dk, dv, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// One chunk's logits become their gradient in place; returns the sum of the losses.
double chunk_loss(at::Tensor& logits, const at::Tensor& targets, std::int64_t first) {
  const std::int64_t vocab = logits.size(1);
  std::vector<float> losses(static_cast<std::size_t>(logits.size(0)));
  over_rows(logits.size(0), 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      losses[static_cast<std::size_t>(n)] = kernels::cross_entropy(
          static_cast<int>(vocab), targets.data_ptr<std::int64_t>()[first + n],
          logits.data_ptr<float>() + n * vocab);
  });
  double sum = 0;
  for (float loss : losses) sum += loss;
  return sum;
}

struct HeadLoss : Function<HeadLoss> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& h, const at::Tensor& w,
                            const at::Tensor& targets, bool bf16) {
    const Products products = bf16 ? Products::kBf16 : Products::kF32;
    const std::int64_t rows = h.size(0);
    const bool need_h = h.requires_grad(), need_w = w.requires_grad();
    at::Tensor dh = need_h ? at::empty_like(h) : at::Tensor(),
               dw = need_w ? at::zeros_like(w) : at::Tensor();
    double sum = 0;
    for (std::int64_t first = 0; first < rows; first += kHeadChunkRows) {
      const std::int64_t count = std::min(kHeadChunkRows, rows - first);
      const at::Tensor part = h.narrow(0, first, count);   // [n,C]
      at::Tensor logits = product(part, w.t(), products);  // [n,V]
      sum += chunk_loss(logits, targets, first);
      if (need_h) dh.narrow(0, first, count).copy_(product(logits, w, products));  // [n,C]
      if (need_w) dw.add_(product(logits.t(), part, products));                    // [V,C]
    }
    if (need_h) dh.div_(static_cast<double>(rows));
    if (need_w) dw.div_(static_cast<double>(rows));
    context->save_for_backward({dh, dw});
    return at::scalar_tensor(sum / static_cast<double>(rows), h.options());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    at::Tensor dh = saved[0].defined() ? saved[0] * gradients[0] : at::Tensor();
    at::Tensor dw = saved[1].defined() ? saved[1] * gradients[0] : at::Tensor();
    return {dh, dw, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& w, Products products) {
  return Linear::apply(x, w, products == Products::kBf16);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, float eps) {
  return RmsNorm::apply(x, w, static_cast<double>(eps));
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return Swiglu::apply(gate, up); }

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const RotaryTable& rotary, const kernels::AttentionShape& shape) {
  CHECK(q.size(0) % shape.time == 0, "{} rows of {}", q.size(0), shape.time);
  CHECK(rotary.cosine.size(0) >= shape.time, "{} positions", rotary.cosine.size(0));
  return Attention::apply(q, k, v, rotary.cosine, rotary.sine, std::int64_t{shape.time},
                          std::int64_t{shape.heads}, std::int64_t{shape.kv_heads});
}

at::Tensor head_loss(const at::Tensor& h, const at::Tensor& w, const at::Tensor& targets,
                     Products products) {
  return HeadLoss::apply(h, w, targets, products == Products::kBf16);
}

}  // namespace freshet
