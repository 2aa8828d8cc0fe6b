// A sequence of batches, shown one after the other without the host.

// One block. After a guard halts, the same batch is shown again, so that the host checks the increments that halted it.
KERNEL(advance) {
    const View<word> cursor = array<word>(t, 0); // address of the batches, presentations shown
    const bool halted = *array<const word>(t, 1).first != 0;
    const View<word> rows = array<word>(t, 2);
    const word time = cursor.first[1] - halted, size = rows.shape[0] * rows.shape[1];
    const word *shown = (const word *)cursor.first[0] + time * size;
    __syncthreads();
    for (word k = threadIdx.x; k < size; k += THREADS)
        rows.first[k] = shown[k];
    if (threadIdx.x == 0 && !halted)
        cursor.first[1] = time + 1;
}
