/*
 * ISA-L beside src/erasure: encodes stripes, then makes the lost data blocks again from the others, in one thread.
 * isa-l K N LOST STRIPE_BYTES STRIPES: prints the seconds of each, and fails when a block comes out wrong.
 */
#include <isa-l.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static unsigned char *block(size_t size) {
  unsigned char *bytes = NULL;
  if (posix_memalign((void **)&bytes, 64, size)) exit(1);
  for (size_t at = 0; at < size; at++) bytes[at] = (unsigned char)rand();
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  const int k = atoi(argv[1]), n = atoi(argv[2]), lost = atoi(argv[3]), stripes = atoi(argv[5]);
  const size_t size = (atoi(argv[4]) + k - 1) / k;
  unsigned char *blocks[32], *made[32], *sources[32];
  unsigned char matrix[32 * 32], kept[32 * 32], inverse[32 * 32], tables[32 * 32 * 32];
  for (int i = 0; i < n; i++) blocks[i] = block(size);
  for (int i = 0; i < lost; i++) made[i] = block(size);
  gf_gen_cauchy1_matrix(matrix, n, k);
  ec_init_tables(k, n - k, matrix + k * k, tables);
  double began = now();
  for (int i = 0; i < stripes; i++) ec_encode_data((int)size, k, n - k, tables, blocks, blocks + k);
  const double encoding = now() - began;
  for (int i = 0; i < k; i++) {
    memcpy(kept + i * k, matrix + (lost + i) * k, k);
    sources[i] = blocks[lost + i];
  }
  if (gf_invert_matrix(kept, inverse, k) != 0) return 1;
  ec_init_tables(k, lost, inverse, tables);
  began = now();
  for (int i = 0; i < stripes; i++) ec_encode_data((int)size, k, lost, tables, sources, made);
  const double decoding = now() - began;
  for (int i = 0; i < lost; i++)
    if (memcmp(made[i], blocks[i], size) != 0) return 1;
  printf("{\"encoding\":%f,\"decoding\":%f}\n", encoding, decoding);
  return 0;
}
