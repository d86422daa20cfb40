"""The former name of `scaling_study.common.errors`, for families and data sets of users."""

from scaling_study.common.errors import InputError as InputError
