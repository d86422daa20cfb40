"""The former name of `scaling_study.common.stop_request`, for signal handlers of users."""

from scaling_study.common.stop_request import request as request
