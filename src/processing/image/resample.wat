;; The two passes of resample.ts. Assemble with
;;   npx wat2wasm src/processing/image/resample.wat -o src/processing/image/resample.wasm
;;
;; Addresses, pitches and starts count bytes. Weights are i32 in units of 2^-22, `taps` of them for each
;; output; sums start at one half (0x200000) so that the shift by 22 rounds. Loads take 16 bytes and may
;; reach past their row, where the weights are zero; stores may run over into what is written next.
(module
  (memory (export "memory") 1)

  ;; Along x: one output pixel at a time, its red, green and blue in the lanes; an even number of taps.
  (func (export "rows")
    (param $source i32) (param $pitch i32) (param $rows i32)
    (param $target i32) (param $width i32)
    (param $starts i32) (param $weights i32) (param $taps i32)
    (local $x i32) (local $from i32) (local $weight i32) (local $end i32)
    (local $pixels v128) (local $sum v128)
    (loop $row
      (local.set $x (i32.const 0))
      (local.set $weight (local.get $weights))
      (loop $column
        (local.set $from (i32.add (local.get $source)
          (i32.load (i32.add (local.get $starts) (i32.shl (local.get $x) (i32.const 2))))))
        (local.set $end (i32.add (local.get $weight) (i32.shl (local.get $taps) (i32.const 2))))
        (local.set $sum (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (loop $tap
          (local.set $pixels (v128.load (local.get $from)))
          (local.set $sum (i32x4.add (local.get $sum) (i32x4.mul
            (v128.load32_splat (local.get $weight))
            (i8x16.shuffle 0 16 16 16 1 16 16 16 2 16 16 16 16 16 16 16 (local.get $pixels) (v128.const i32x4 0 0 0 0)))))
          (local.set $sum (i32x4.add (local.get $sum) (i32x4.mul
            (v128.load32_splat offset=4 (local.get $weight))
            (i8x16.shuffle 3 16 16 16 4 16 16 16 5 16 16 16 16 16 16 16 (local.get $pixels) (v128.const i32x4 0 0 0 0)))))
          (local.set $from (i32.add (local.get $from) (i32.const 6)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 8)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
        (local.set $sum (i16x8.narrow_i32x4_s (local.get $sum) (local.get $sum)))
        (v128.store32_lane 0 (local.get $target) (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
        (local.set $target (i32.add (local.get $target) (i32.const 3)))
        (br_if $column (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (local.get $width))))
      (local.set $source (i32.add (local.get $source) (local.get $pitch)))
      (br_if $row (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  ;; Along y: 16 neighbouring bytes of an output row at a time.
  (func (export "columns")
    (param $source i32) (param $pitch i32) (param $rows i32)
    (param $target i32) (param $bytes i32)
    (param $starts i32) (param $weights i32) (param $taps i32)
    (local $at i32) (local $from i32) (local $row i32) (local $weight i32) (local $end i32)
    (local $pixels v128) (local $half v128) (local $scale v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $half (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
    (loop $line
      (local.set $row (i32.add (local.get $source) (i32.load (local.get $starts))))
      (local.set $end (i32.add (local.get $weights) (i32.shl (local.get $taps) (i32.const 2))))
      (local.set $at (i32.const 0))
      (loop $block
        (local.set $a (local.get $half)) (local.set $b (local.get $half))
        (local.set $c (local.get $half)) (local.set $d (local.get $half))
        (local.set $from (i32.add (local.get $row) (local.get $at)))
        (local.set $weight (local.get $weights))
        (loop $tap
          (local.set $pixels (v128.load (local.get $from)))
          (local.set $scale (v128.load32_splat (local.get $weight)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.mul (local.get $scale)
            (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (local.get $pixels))))))
          (local.set $b (i32x4.add (local.get $b) (i32x4.mul (local.get $scale)
            (i32x4.extend_high_i16x8_u (i16x8.extend_low_i8x16_u (local.get $pixels))))))
          (local.set $c (i32x4.add (local.get $c) (i32x4.mul (local.get $scale)
            (i32x4.extend_low_i16x8_u (i16x8.extend_high_i8x16_u (local.get $pixels))))))
          (local.set $d (i32x4.add (local.get $d) (i32x4.mul (local.get $scale)
            (i32x4.extend_high_i16x8_u (i16x8.extend_high_i8x16_u (local.get $pixels))))))
          (local.set $from (i32.add (local.get $from) (local.get $pitch)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (v128.store (i32.add (local.get $target) (local.get $at)) (i8x16.narrow_i16x8_u
          (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
          (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
        (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $bytes))))
      (local.set $weights (local.get $end))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $target (i32.add (local.get $target) (local.get $bytes)))
      (br_if $line (local.tee $rows (i32.sub (local.get $rows) (i32.const 1)))))))
