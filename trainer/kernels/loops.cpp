#include "trainer/kernels/loops.h"

#include <algorithm>
#include <cmath>

#include "trainer/kernels/simd.h"

namespace freshet::kernels {

FRESHET_SIMD void rms_norm(Rows shape, float eps, const float* __restrict x,
                           const float* __restrict w, float* __restrict y,
                           float* __restrict inverse_rms) {
  const int columns = shape.columns;
  for (std::int64_t n = 0; n < shape.rows; ++n) {
    const float* row = x + n * columns;
    float sum = 0;
    for (int c = 0; c < columns; ++c) sum += row[c] * row[c];
    const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(columns) + eps);
    inverse_rms[n] = inverse;
    float* out = y + n * columns;
    for (int c = 0; c < columns; ++c) out[c] = row[c] * inverse * w[c];
  }
}

FRESHET_SIMD void rms_norm_backward(Rows shape, const float* __restrict dy,
                                    const float* __restrict x, const float* __restrict w,
                                    const float* __restrict inverse_rms, float* __restrict dx,
                                    float* __restrict dw) {
  const int columns = shape.columns;
  for (std::int64_t n = 0; n < shape.rows; ++n) {
    const float* g = dy + n * columns;
    const float* row = x + n * columns;
    const float inverse = inverse_rms[n];
    float dot = 0;
    for (int c = 0; c < columns; ++c) dot += g[c] * w[c] * row[c];
    const float pull = dot * inverse * inverse * inverse / static_cast<float>(columns);
    float* out = dx + n * columns;
    for (int c = 0; c < columns; ++c) out[c] = g[c] * w[c] * inverse - row[c] * pull;
    if (dw != nullptr)
      for (int c = 0; c < columns; ++c) dw[c] += g[c] * row[c] * inverse;
  }
}

FRESHET_SIMD void layer_norm(Rows shape, float eps, const float* __restrict x,
                             const float* __restrict w, const float* __restrict b,
                             float* __restrict y, float* __restrict mean,
                             float* __restrict inverse) {
  const int columns = shape.columns;
  for (std::int64_t n = 0; n < shape.rows; ++n) {
    const float* row = x + n * columns;
    float sum = 0, square = 0;
    for (int c = 0; c < columns; ++c) sum += row[c];
    const float middle = sum / static_cast<float>(columns);
    for (int c = 0; c < columns; ++c) square += (row[c] - middle) * (row[c] - middle);
    const float factor = 1.0f / std::sqrt(square / static_cast<float>(columns) + eps);
    mean[n] = middle;
    inverse[n] = factor;
    float* out = y + n * columns;
    for (int c = 0; c < columns; ++c) out[c] = (row[c] - middle) * factor * w[c] + b[c];
  }
}

FRESHET_SIMD void layer_norm_backward(Rows shape, const float* __restrict dy,
                                      const float* __restrict x, const float* __restrict w,
                                      const float* __restrict mean, const float* __restrict inverse,
                                      float* __restrict dx) {
  const int columns = shape.columns;
  for (std::int64_t n = 0; n < shape.rows; ++n) {
    const float *g = dy + n * columns, *row = x + n * columns;
    const float middle = mean[n], factor = inverse[n];
    float sum = 0, along = 0;
    for (int c = 0; c < columns; ++c) {
      sum += g[c] * w[c];
      along += g[c] * w[c] * (row[c] - middle) * factor;
    }
    sum /= static_cast<float>(columns);
    along /= static_cast<float>(columns);
    float* out = dx + n * columns;
    for (int c = 0; c < columns; ++c)
      out[c] = factor * (g[c] * w[c] - sum - (row[c] - middle) * factor * along);
  }
}

FRESHET_SIMD void gelu(std::int64_t count, const float* __restrict x, float* __restrict out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float inner = 0.7978845608f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    out[i] = x[i] / (1.0f + std::exp(-2.0f * inner));  // 0.5 (1 + tanh z) = 1 / (1 + exp(-2z))
  }
}

FRESHET_SIMD void gelu_backward(std::int64_t count, const float* __restrict dout,
                                const float* __restrict x, float* __restrict dx) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float inner = 0.7978845608f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    const float half = 1.0f / (1.0f + std::exp(-2.0f * inner));
    const float slope = 0.7978845608f * (1.0f + 3 * 0.044715f * x[i] * x[i]);
    dx[i] = dout[i] * (half + x[i] * 2.0f * half * (1.0f - half) * slope);
  }
}

FRESHET_SIMD void swiglu(std::int64_t count, const float* __restrict gate,
                         const float* __restrict up, float* __restrict out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

FRESHET_SIMD void swiglu_backward(std::int64_t count, const float* __restrict dout,
                                  const float* __restrict gate, const float* __restrict up,
                                  float* __restrict dgate, float* __restrict dup) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float sigmoid = 1.0f / (1.0f + std::exp(-gate[i]));
    dup[i] = dout[i] * gate[i] * sigmoid;
    dgate[i] = dout[i] * up[i] * sigmoid * (1.0f + gate[i] * (1.0f - sigmoid));
  }
}

FRESHET_SIMD void rotate(int time, int heads, int head_dim, const int* positions,
                         const float* __restrict cosine, const float* __restrict sine, bool inverse,
                         float* __restrict x) {
  const int half = head_dim / 2;
  const float sign = inverse ? -1.0f : 1.0f;
  for (int t = 0; t < time; ++t) {
    const std::int64_t position = positions ? positions[t] : t;
    const float* c = cosine + position * half;
    const float* s = sine + position * half;
    for (int h = 0; h < heads; ++h) {
      float* low = x + (static_cast<std::int64_t>(t) * heads + h) * head_dim;
      float* high = low + half;
      for (int i = 0; i < half; ++i) {
        const float a = low[i], b = high[i], turn = sign * s[i];
        low[i] = a * c[i] - b * turn;
        high[i] = b * c[i] + a * turn;
      }
    }
  }
}

FRESHET_SIMD float cross_entropy(int vocab, std::int64_t target, float* __restrict z) {
  float highest = z[0];
  for (int i = 1; i < vocab; ++i) highest = std::max(highest, z[i]);
  const float at_target = z[target];
  float sum = 0;
  for (int i = 0; i < vocab; ++i) {
    z[i] = std::exp(z[i] - highest);
    sum += z[i];
  }
  const float inverse = 1.0f / sum;
  for (int i = 0; i < vocab; ++i) z[i] *= inverse;
  z[target] -= 1.0f;
  return std::log(sum) + highest - at_target;
}

FRESHET_SIMD float distillation(int vocab, std::int64_t target, const Teacher& teacher,
                                float* __restrict z, float* __restrict scratch) {
  const float inverse_temperature = 1.0f / teacher.temperature;
  float highest = z[0];
  for (int i = 1; i < vocab; ++i) highest = std::max(highest, z[i]);
  float sum = 0;
  for (int i = 0; i < vocab; ++i) {
    scratch[i] = std::exp((z[i] - highest) * inverse_temperature);
    sum += scratch[i];
  }
  const float inverse = 1.0f / sum;
  for (int i = 0; i < vocab; ++i) scratch[i] *= inverse;  // p
  float kept_p = 0, kept_q = 0, loss = 0;
  for (int i = 0; i < teacher.kept; ++i) {
    const float p = std::max(scratch[teacher.ids[i]], 1e-12f);
    kept_p += p;
    kept_q += teacher.q[i];
    loss -= teacher.q[i] * std::log(p);
  }
  const float rest_p = std::max(1.0f - kept_p, 1e-6f), rest_q = std::max(1.0f - kept_q, 0.0f);
  loss -= rest_q * std::log(rest_p);
  const float temperature = teacher.temperature, outside = 1.0f - rest_q / rest_p;
  const float plain = cross_entropy(vocab, target, z);
  const float by_teacher =
      teacher.teacher_weight * temperature;  // T^2 from the loss, 1/T from z / T
  // d loss / d (z / T): p - q where kept, p (1 - rest_q / rest_p) elsewhere.
  for (int i = 0; i < vocab; ++i)
    z[i] = teacher.plain_weight * z[i] + by_teacher * scratch[i] * outside;
  for (int i = 0; i < teacher.kept; ++i) {
    const std::int64_t id = teacher.ids[i];
    z[id] += by_teacher * (scratch[id] * (1.0f - outside) - teacher.q[i]);
  }
  return teacher.plain_weight * plain + teacher.teacher_weight * temperature * temperature * loss;
}

FRESHET_SIMD void adamw(const AdamW& rule, std::int64_t count, const float* __restrict gradient,
                        float* __restrict first, float* __restrict second,
                        float* __restrict values) {
  const float correction1 = 1.0f - std::pow(rule.beta1, static_cast<float>(rule.step));
  const float correction2 = 1.0f - std::pow(rule.beta2, static_cast<float>(rule.step));
  const float rate = rule.lr / correction1, root = 1.0f / std::sqrt(correction2);
  const float keep = 1.0f - rule.lr * rule.weight_decay;
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    first[i] = rule.beta1 * first[i] + (1.0f - rule.beta1) * g;
    second[i] = rule.beta2 * second[i] + (1.0f - rule.beta2) * g * g;
    values[i] = values[i] * keep - rate * first[i] / (std::sqrt(second[i]) * root + rule.eps);
  }
}

}  // namespace freshet::kernels
