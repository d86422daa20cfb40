"""Tables as others write them."""

PLAIN = """net,acc,MACs (G),"params"
tiny,70.0,0.5,"1,014.5"
small,75.0,1.0,5
base,80.0,4.0,20
"""
COLUMNS = {"model": "net", "val_error": "acc", "flops": "MACs (G)", "params": "params"}
UNITS = {"val_error": "percent accuracy", "flops": "gmacs", "params": "millions"}
# Rows of timm's published tables: results-imagenet.csv, and inference and training benchmarks.
RESULTS = """model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation
resnetrs50.tf_in1k,79.892,20.108,94.968,5.032,35.69,224,0.910,bicubic
resnetrs101.tf_in1k,82.284,17.716,96.014,3.986,63.62,288,0.940,bicubic
efficientnet_b0.ra_in1k,77.694,22.306,93.532,6.468,5.29,224,0.875,bicubic
efficientnet_b1.ft_in1k,78.798,21.202,94.344,5.656,7.79,256,1.000,bicubic
eva_giant_patch14_560.m30m,89.786,10.214,98.992,1.008,"1,014.45",560,1.000,bicubic
"""
INFER = (
    "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count,"
    "infer_gmacs,infer_macts\n"
    """resnetrs50,224,2000.0,512.0,1024,35.69,4.48,12.14
resnetrs101,192,1500.0,682.7,1024,63.62,6.04,12.7
resnetrs101,224,1200.0,853.3,1024,63.62,8.2,17.3
efficientnet_b0,224,2900.0,353.1,1024,5.29,0.4,6.75
efficientnet_b1,256,1600.0,640.0,1024,7.79,0.77,12.22
"""
)
TRAIN = """model,train_samples_per_sec,train_step_time,train_batch_size,train_img_size,param_count
resnetrs50,1686.45,302.42,512,224,35.69
"""


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def timm_files(folder):
    return [write(folder, n, t) for n, t in (("r.csv", RESULTS), ("b.csv", INFER))]
