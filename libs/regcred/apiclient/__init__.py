"""The client of the REST API, for the console, the command line and the plugins.

Public interface:

    client.ApiClient      requests, lists of several pages, streams; repeats what is safe to repeat
    client.Repeats        how long a request is repeated, and who is notified
    answer.Answer         body, status, ETag and log position of an answer
    errors                what can fail; `ApiError` and `ConfigurationError` are `ClientError`s
    settings.connection   address and token from options and environment
    paths                 paths of an account, ETags
    secret.Secret         a token or password that is printed as `[secret]`
    problem_text          a problem document as lines for a terminal or a log
    over_httpx            the transport of console and command line; the only module that imports httpx2
    transport             what a transport is: the plugins bring their own, of the standard library

Every module but `over_httpx` uses the standard library only. Nothing here imports another package of regcred.
"""
